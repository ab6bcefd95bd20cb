import { afterEach, describe, expect, it, vi } from "vitest";

import { Client } from "../src/api/client.js";
import { Problem } from "../src/api/problem.js";
import { TokenRenewal } from "../src/elements/token-renewal.js";

afterEach(() => vi.unstubAllGlobals());

/** A service that takes one token, and counts what it is asked. */
function service(valid: () => string): { asked: string[] } {
  const asked: string[] = [];
  vi.stubGlobal("fetch", (_: string, request: RequestInit) => {
    const token = (request.headers as Record<string, string>)["Authorization"]?.replace("Bearer ", "") ?? "";
    asked.push(token);
    const good = token === valid();
    const body = good ? { ok: true } : { code: "TOKEN_EXPIRED", detail: "It has ended." };
    return Promise.resolve(new Response(JSON.stringify(body), { status: good ? 200 : 401 }));
  });
  return { asked };
}

describe("a token that ends", () => {
  it("is renewed once for many requests, which then go on", async () => {
    const { asked } = service(() => "second");
    const tell = vi.fn(() => queueMicrotask(() => renewal.provide("second")));
    const renewal: TokenRenewal = new TokenRenewal(tell);
    const client = new Client({ baseUrl: "", token: "first", tenant: "" }, () => renewal.nextToken());
    const answers = await Promise.all(["/a", "/b", "/c"].map((path) => client.json(path)));
    expect(answers).toEqual([{ ok: true }, { ok: true }, { ok: true }]);
    expect(tell).toHaveBeenCalledTimes(1);
    expect(asked).toEqual(["first", "first", "first", "second", "second", "second"]);
    expect(client.token).toBe("second");
  });

  it("is waited for no longer than the bound, and asked for again by the next request", async () => {
    service(() => "never");
    const tell = vi.fn();
    const heard: (string | undefined)[] = [];
    const renewal = new TokenRenewal(tell, 20);
    const client = new Client({ baseUrl: "", token: "first", tenant: "" }, () => renewal.nextToken(), (one) => heard.push(one?.code));
    for (const turn of [1, 2]) {
      await expect(client.json("/a")).rejects.toMatchObject({ code: "TOKEN_EXPIRED" });
      expect(tell).toHaveBeenCalledTimes(turn);
    }
    expect(heard).toEqual(["TOKEN_EXPIRED", "TOKEN_EXPIRED"]);
  });

  it("may be answered at once, by a host that sets the next one in its listener", async () => {
    const renewal: TokenRenewal = new TokenRenewal(() => renewal.provide("next"));
    expect(await renewal.nextToken()).toBe("next");
  });
});

describe("the token to begin with", () => {
  it("is the host's elsewhere, which is asked for one; at the service the browser's session counts", async () => {
    const tell = vi.fn(() => queueMicrotask(() => renewal.provide("given")));
    const renewal: TokenRenewal = new TokenRenewal(tell);
    expect(await renewal.initialToken("", "")).toBe("");
    expect(await renewal.initialToken(location.origin, "")).toBe("");
    expect(await renewal.initialToken("https://audit.example", "there")).toBe("there");
    expect(tell).not.toHaveBeenCalled();
    expect(await renewal.initialToken("https://audit.example", "")).toBe("given");
  });
});

describe("a token that was set while nobody could say whose it is", () => {
  it("is taken when it is found to be the same person's, else the next one is asked for", async () => {
    const tell = vi.fn(() => queueMicrotask(() => renewal.provide("next")));
    const renewal: TokenRenewal = new TokenRenewal(tell);
    expect(await renewal.renew("set", "used", () => Promise.resolve(true))).toBe("set");
    expect(tell).not.toHaveBeenCalled();
    expect(await renewal.renew("set", "used", () => Promise.resolve(false))).toBe("next");
    expect(await renewal.renew("set", "used", () => Promise.reject(new Error()))).toBe("next");
    expect(await renewal.renew("used", "used", () => Promise.resolve(true))).toBe("next");
    expect(tell).toHaveBeenCalledTimes(3);
  });
});

describe("how requests end", () => {
  it("is told: well, without a network, and not when we gave up ourselves", async () => {
    const heard: (string | undefined)[] = [];
    const client = new Client({ baseUrl: "", token: "", tenant: "" }, undefined, (one) => heard.push(one?.code));
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
    await expect(client.json("/a")).rejects.toMatchObject({ code: "OFFLINE" });
    vi.stubGlobal("fetch", () => Promise.reject(new DOMException("Aborted", "AbortError")));
    await expect(client.json("/a")).rejects.toSatisfy((one: Problem) => one.aborted);
    vi.stubGlobal("fetch", () => Promise.resolve(new Response("{}")));
    await client.json("/a");
    expect(heard).toEqual(["OFFLINE", undefined]);
  });

  it("with a network, no answer from another origin is told as what it may be, and how to mend it once", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
    const client = new Client({ baseUrl: "https://audit.example.com", token: "", tenant: "" });
    for (const path of ["/a", "/b"]) await expect(client.json(path)).rejects.toMatchObject({ code: "UNREACHABLE" });
    expect(warn).toHaveBeenCalledOnce();
    expect(warn.mock.calls[0]?.[0]).toContain(`AUDITLANE_CORS_ORIGINS=${location.origin}`);
    vi.spyOn(navigator, "onLine", "get").mockReturnValue(false);
    await expect(client.json("/c")).rejects.toMatchObject({ code: "OFFLINE" });
  });
});

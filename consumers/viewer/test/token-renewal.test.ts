import { afterEach, describe, expect, it, vi } from "vitest";

import { Client } from "../src/api/client.js";
import { Problem } from "../src/api/problem.js";
import { TokenRenewal } from "../src/elements/token-renewal.js";

afterEach(() => vi.unstubAllGlobals());

/** Fakes a service that accepts one token, and records the tokens that it receives. */
function service(valid: () => string): { received: string[] } {
  const received: string[] = [];
  vi.stubGlobal("fetch", (_: string, request: RequestInit) => {
    const token = (request.headers as Record<string, string>)["Authorization"]?.replace("Bearer ", "") ?? "";
    received.push(token);
    const good = token === valid();
    const body = good ? { ok: true } : { code: "TOKEN_EXPIRED", detail: "The token has expired." };
    return Promise.resolve(new Response(JSON.stringify(body), { status: good ? 200 : 401 }));
  });
  return { received };
}

describe("an expired token", () => {
  it("is renewed once for many requests, which then continue", async () => {
    const { received } = service(() => "second");
    const requestToken = vi.fn(() => queueMicrotask(() => renewal.provide("second")));
    const renewal: TokenRenewal = new TokenRenewal(requestToken);
    const client = new Client({ baseUrl: "", token: "first", tenant: "" }, () => renewal.nextToken());
    const responses = await Promise.all(["/a", "/b", "/c"].map((path) => client.json(path)));
    expect(responses).toEqual([{ ok: true }, { ok: true }, { ok: true }]);
    expect(requestToken).toHaveBeenCalledTimes(1);
    expect(received).toEqual(["first", "first", "first", "second", "second", "second"]);
    expect(client.token).toBe("second");
  });

  it("is awaited until the timeout, and requested again by the next request", async () => {
    service(() => "never");
    const requestToken = vi.fn();
    const heard: (string | undefined)[] = [];
    const renewal = new TokenRenewal(requestToken, 20);
    const client = new Client({ baseUrl: "", token: "first", tenant: "" }, () => renewal.nextToken(), (one) => heard.push(one?.code));
    for (const turn of [1, 2]) {
      await expect(client.json("/a")).rejects.toMatchObject({ code: "TOKEN_EXPIRED" });
      expect(requestToken).toHaveBeenCalledTimes(turn);
    }
    expect(heard).toEqual(["TOKEN_EXPIRED", "TOKEN_EXPIRED"]);
  });

  it("may be renewed synchronously, by a host that sets the next one in its listener", async () => {
    const renewal: TokenRenewal = new TokenRenewal(() => renewal.provide("next"));
    expect(await renewal.nextToken()).toBe("next");
  });
});

describe("the initial token", () => {
  it("is requested from the host on another origin; at the service the browser's session is used", async () => {
    const requestToken = vi.fn(() => queueMicrotask(() => renewal.provide("given")));
    const renewal: TokenRenewal = new TokenRenewal(requestToken);
    expect(await renewal.initialToken("", "")).toBe("");
    expect(await renewal.initialToken(location.origin, "")).toBe("");
    expect(await renewal.initialToken("https://audit.example", "there")).toBe("there");
    expect(requestToken).not.toHaveBeenCalled();
    expect(await renewal.initialToken("https://audit.example", "")).toBe("given");
  });
});

describe("a token that was set while it could not be verified", () => {
  it("is used when it belongs to the same user, else the next one is requested", async () => {
    const requestToken = vi.fn(() => queueMicrotask(() => renewal.provide("next")));
    const renewal: TokenRenewal = new TokenRenewal(requestToken);
    expect(await renewal.renew("set", "used", () => Promise.resolve(true))).toBe("set");
    expect(requestToken).not.toHaveBeenCalled();
    expect(await renewal.renew("set", "used", () => Promise.resolve(false))).toBe("next");
    expect(await renewal.renew("set", "used", () => Promise.reject(new Error()))).toBe("next");
    expect(await renewal.renew("used", "used", () => Promise.resolve(true))).toBe("next");
    expect(requestToken).toHaveBeenCalledTimes(3);
  });
});

describe("the result of a request", () => {
  it("is reported: success, no network, but not an abort", async () => {
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

  it("is UNREACHABLE for another origin while the network works, with one warning", async () => {
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

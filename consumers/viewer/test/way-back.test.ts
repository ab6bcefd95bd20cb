import { describe, expect, it } from "vitest";

import { wayBack } from "../src/model/way-back.js";

const page = { href: "https://app.example/log?query=action:login#top", framed: false };

describe("the way back into a log without a session", () => {
  it("is the sign-in page, which returns to this page", () => {
    const way = wayBack("https://app.example/login?from=log", true, page);
    expect(way).toMatchObject({ kind: "signIn", top: false });
    const params = new URL(way.kind === "signIn" ? way.href : "").searchParams;
    expect(Object.fromEntries(params)).toEqual({ from: "log", return_to: page.href });
  });

  it("leaves a frame, whose surrounding page is unknown", () => {
    expect(wayBack("/login", false, { ...page, framed: true })).toEqual({ kind: "signIn", href: "https://app.example/login", top: true });
  });

  it.each(["", "javascript:alert(1)", "data:text/html,x", "https://"])("is not the invalid address %j", (url) => {
    expect(wayBack(url, true, page)).toEqual({ kind: "reload" });
    expect(wayBack(url, false, page)).toEqual({ kind: "reopen" });
  });
});

import { describe, expect, it } from "vitest";

import { Client } from "../src/api/client.js";
import type { AuditEvent } from "../src/api/types.js";
import { EventStreamParser } from "../src/model/event-stream.js";
import type { Message } from "../src/model/event-stream.js";
import { curlFor, jsonOf, linkTo, linkToView } from "../src/model/share.js";
import { DEFAULT_VIEW } from "../src/model/view.js";

const event = { event_id: "0193-a", before: '{"a": "b c"}', after: '{"n": 12345678901234567890}' } as AuditEvent;

describe("a copied event", () => {
  it("has a link that opens only this event, on the current page", () => {
    const page = { origin: "https://a.example", pathname: "/log", search: "?tab=2&query=x&live=1", hash: "#/audit" };
    expect(linkTo(event, page)).toBe("https://a.example/log?tab=2&event=0193-a#/audit");
    expect(linkTo(event, { ...page, search: "?tz=UTC&query=x" })).toBe("https://a.example/log?tz=UTC&event=0193-a#/audit");
    expect(linkTo(event, { ...page, search: "?access_token=t&tab=2" })).toBe("https://a.example/log?tab=2&event=0193-a#/audit");
  });

  it("has embedded JSON, unless a number would lose digits", () => {
    expect(JSON.parse(jsonOf(event))).toEqual({ ...event, before: { a: "b c" } });
    expect(JSON.parse(jsonOf({ ...event, before: "{no", after: null }))).toEqual({ ...event, before: "{no", after: null });
  });

  it("has a request without the token", () => {
    expect(curlFor(event, "https://a.example", "")).toBe(
      `curl -H "Authorization: Bearer $TOKEN" \\\n  'https://a.example/v1/events/0193-a'`,
    );
    history.replaceState(null, "", "?query=x");
    const service = (baseUrl: string): string => new Client({ baseUrl, token: "", tenant: "" }).service;
    expect(service("")).toBe(location.origin);
    expect(service("/console")).toBe(`${location.origin}/console`);
    expect(service("https://a.example/audit")).toBe("https://a.example/audit");
    expect(curlFor(event, "https://a.example", "o'x")).toContain(`-H 'Auditlane-Tenant: o'\\''x'`);
  });
});

describe("an event stream", () => {
  it("is parsed from chunks of any size, including ids without data", () => {
    const text = ': hello\n\nretry: 1500\n\nid: 1\n\nid: 2\nevent: event\ndata: {"a":\ndata: 1}\n\r\nevent: end\ndata:x\n\nid: 3\ndata: cut';
    for (const size of [1, 3, 1_000]) {
      const received: Message[] = [];
      let retry = 0;
      const messages = new EventStreamParser((message) => received.push(message), (ms) => (retry = ms));
      for (let at = 0; at < text.length; at += size) messages.feed(text.slice(at, at + size));
      expect(retry).toBe(1_500);
      expect(received).toEqual([
        { id: "1", event: "message", data: "" },
        { id: "2", event: "event", data: '{"a":\n1}' },
        { id: null, event: "end", data: "x" },
      ]);
    }
  });
});

describe("a link to a view", () => {
  it("has the search, the range, the order and the columns, but no secret and no open event", () => {
    const page = { origin: "https://app.example", pathname: "/log", search: "?tab=2&token=secret&access_token=x&code=y&event=9", hash: "#a" };
    const view = { ...DEFAULT_VIEW, query: "login", sort: "action", open: "0193-a", columns: ["action", "metadata.region"] };
    expect(linkToView(view, page)).toBe("https://app.example/log?tab=2&query=login&sort=action&columns=action%2Cmetadata.region#a");
  });
});

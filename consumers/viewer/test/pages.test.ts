import { describe, expect, it } from "vitest";

import type { AuditEvent, EventPage } from "../src/api/types.js";
import { type PageRequest, Pages } from "../src/model/pages.js";

const event = (n: number): AuditEvent =>
  ({ event_id: `e${n}`, occurred_at: new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString() }) as AuditEvent;

/** Fakes the service, with the newest events first. A cursor is a position between two events. */
class Service {
  rows: AuditEvent[];
  requests = 0;

  constructor(count: number) {
    this.rows = Array.from({ length: count }, (_, n) => event(count - n));
  }

  respond({ cursor, limit }: Pick<PageRequest, "cursor" | "limit">): EventPage {
    this.requests += 1;
    let [from, to] = [0, limit];
    if (cursor?.startsWith("after:")) from = this.positionOf(cursor) + 1;
    to = from + limit;
    if (cursor?.startsWith("before:")) [from, to] = [Math.max(0, this.positionOf(cursor) - limit), this.positionOf(cursor)];
    const data = this.rows.slice(from, to);
    return {
      data,
      next: to < this.rows.length ? `after:${data.at(-1)?.event_id}` : null,
      prev: from > 0 ? `before:${data[0]?.event_id}` : null,
    };
  }

  private positionOf(cursor: string): number {
    return this.rows.findIndex((row) => row.event_id === cursor.split(":")[1]);
  }
}

/** Loads pages until none is missing in this view, and returns its first row's resulting index. */
function load(pages: Pages, service: Service, first: number, last = first + 30): number {
  for (let turns = 0; ; turns++) {
    const request = pages.nextRequest(first, last);
    if (!request) break;
    expect(turns).toBeLessThan(1_000);
    const moved = pages.accept(request, service.respond(request));
    if (first >= moved.at) [first, last] = [first + moved.by, last + moved.by];
  }
  const moved = pages.trim(first, last);
  return first >= moved.at ? first + moved.by : first;
}

function ids(pages: Pages, first: number, count: number): (string | undefined)[] {
  return Array.from({ length: count }, (_, n) => pages.at(first + n)?.event_id);
}

const expected = (from: number, count: number): string[] => Array.from({ length: count }, (_, n) => `e${from - n}`);

describe("pages", () => {
  it("are loaded as the view moves; distant ones are dropped and loaded again", () => {
    const [pages, service] = [new Pages(), new Service(20_000)];
    let first = load(pages, service, 0);
    expect(ids(pages, 0, 30)).toEqual(expected(20_000, 30));
    while (first < 12_000) first = load(pages, service, first + 300);
    expect(pages.loadedRows).toBeLessThan(6_000);
    expect(pages.at(0)).toBeUndefined();
    expect(ids(pages, first, 30)).toEqual(expected(20_000 - first, 30));
    const before = service.requests;
    load(pages, service, 5_000);
    expect(service.requests - before).toBeLessThan(8);
    expect(ids(pages, 5_000, 30)).toEqual(expected(15_000, 30));
    load(pages, service, 0);
    expect(ids(pages, 0, 60)).toEqual(expected(20_000, 60));
  });

  it("request no more at the end of the list", () => {
    const [pages, service] = [new Pages(), new Service(120)];
    load(pages, service, 0);
    expect(pages.count).toBe(120);
    expect(pages.ended).toBe(true);
    expect(pages.nextRequest(90, 119)).toBeNull();
  });

  it("include events that arrived in between when a page is loaded again", () => {
    const [pages, service] = [new Pages(), new Service(20_000)];
    for (let first = 0; first < 12_000; first += 300) load(pages, service, first);
    service.rows.splice(5_010, 0, { ...event(14_990), event_id: "late" });
    service.rows.unshift(event(20_001));
    load(pages, service, 4_990);
    const seen = ids(pages, 4_990, 40);
    expect(seen.indexOf("late")).toBe(20);
    expect(new Set(seen).size).toBe(40);
    expect(load(pages, service, 0)).toBe(1); // the newest event was inserted above the view
    expect(ids(pages, 0, 3)).toEqual(["e20001", "e20000", "e19999"]);
  });

  it("forget the first rows when too many are known, and load them again on the way back", () => {
    const [pages, service] = [new Pages({ kept: 1_000, known: 5_000, spare: 1_500 }), new Service(8_000)];
    let first = 0;
    for (let turns = 0; pages.forgottenRows + first < 7_000 && turns < 400; turns++) first = load(pages, service, first + 390);
    expect(pages.count).toBeLessThan(5_300);
    expect(pages.forgottenRows).toBeGreaterThan(0);
    expect(ids(pages, first, 5)).toEqual(expected(8_000 - pages.forgottenRows - first, 5));
    for (let turns = 0; pages.forgottenRows + first > 1_000 && turns < 400; turns++) first = load(pages, service, Math.max(0, first - 390));
    for (let turns = 0; turns < 20; turns++) first = load(pages, service, Math.max(0, first - 390));
    expect(ids(pages, 0, 5)).toEqual(expected(8_000, 5));
    expect(ids(pages, first, 5)).toEqual(expected(8_000 - first, 5));
    expect(pages.fromTop).toBe(true);
  });

  it("ignore a response whose position is gone", () => {
    const [pages, service] = [new Pages(), new Service(1_000)];
    const ask = pages.nextRequest(0, 30) as PageRequest;
    pages.accept(ask, service.respond(ask));
    const next = pages.nextRequest(0, 30) as PageRequest;
    pages.accept(next, service.respond(next));
    const count = pages.count;
    pages.accept(next, service.respond(next));
    expect(pages.count).toBe(count);
  });

  it("insert arriving events by their time, once", () => {
    const [pages, service] = [new Pages(), new Service(2_000)];
    load(pages, service, 0);
    expect(pages.insert(event(2_001))).toBe(0);
    expect(pages.insert(event(2_001))).toBe(-1);
    expect(pages.insert({ ...event(1_990), event_id: "late" })).toBe(11);
    expect(pages.insert({ ...event(3), event_id: "older" })).toBe(-1);
    expect(ids(pages, 0, 2)).toEqual(["e2001", "e2000"]);
    const none = new Pages();
    expect(none.insert(event(1))).toBe(-1);
    load(none, new Service(0), 0);
    expect(none.insert(event(1))).toBe(0);
    expect(none.count).toBe(1);
  });

  it("keep every event with the same id and time, and mark those that arrived first", () => {
    const [pages, service] = [new Pages(), new Service(2_000)];
    load(pages, service, 0);
    const twin = (content_hash: string) => ({ ...event(1_990), content_hash, conflict: true });
    const marked = (): [string | undefined, boolean | undefined][] =>
      [9, 10, 11, 12, 13].map((at) => [pages.at(at)?.event_id, pages.at(at)?.conflict]);
    expect(pages.insert(twin("b"))).toBe(10);
    expect(pages.insert(twin("c"))).toBe(10);
    expect(pages.insert(twin("b"))).toBe(-1);
    expect(marked()).toEqual([["e1991", undefined], ["e1990", true], ["e1990", true], ["e1990", true], ["e1989", undefined]]);
    expect(pages.insert({ ...event(1_995), event_id: "e1990" })).toBe(5); // with another time, it is a different event, without a conflict
    expect([pages.at(5)?.conflict, pages.count]).toEqual([undefined, 53 + 200 + 200]);
  });

  it("grow by arriving events, which can be dropped and loaded again", () => {
    const [pages, service] = [new Pages({ kept: 300, known: 100_000, spare: 100 }), new Service(3_000)];
    let first = load(pages, service, 0);
    for (let n = 3_001; n <= 5_000; n++) {
      service.rows.unshift(event(n));
      expect(pages.insert(event(n))).toBe(0);
    }
    expect(ids(pages, 0, 2_100)).toEqual(expected(5_000, 2_100));
    for (const there of [4_000, 1_000, 1_700, 0, 300]) {
      first = load(pages, service, there);
      expect(pages.loadedRows).toBeLessThan(1_500);
      expect(ids(pages, first, 30)).toEqual(expected(5_000 - first, 30));
    }
  });

  it("asks before it searches further than the service did without finding anything", () => {
    const pages = new Pages();
    const respond = (rows: AuditEvent[], searched_to: string | null, next: string | null): void =>
      void pages.accept(pages.nextRequest(0, 30) as PageRequest, { data: rows, next, prev: null, searched_to });
    respond([event(9)], "2026-01-05T00:00:00Z", "a");
    expect([pages.paused, pages.nextRequest(0, 30)?.cursor]).toEqual([false, "a"]); // it has found something
    respond([], "2026-01-04T00:00:00Z", "b");
    expect([pages.paused, pages.searchedTo, pages.nextRequest(0, 30)]).toEqual([true, "2026-01-04T00:00:00Z", null]);
    pages.searching = true;
    expect([pages.paused, pages.nextRequest(0, 30)?.cursor]).toEqual([false, "b"]);
    respond([], "2026-01-03T00:00:00Z", "c");
    expect([pages.searchedTo, pages.nextRequest(0, 30)?.cursor]).toEqual(["2026-01-03T00:00:00Z", "c"]);
    respond([event(3)], "2026-01-02T00:00:00Z", "d");
    expect([pages.searching, pages.searchedTo, pages.nextRequest(0, 30)?.cursor]).toEqual([false, null, "d"]);
    respond([], null, null);
    expect([pages.ended, pages.paused, pages.count]).toEqual([true, false, 2]);
  });
});

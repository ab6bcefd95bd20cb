import { beforeEach, describe, expect, it, vi } from "vitest";

import type { Client } from "../src/api/client.js";
import { Problem } from "../src/api/problem.js";
import type { SavedView } from "../src/api/saved-views.js";
import { de } from "../src/i18n/de/index.js";
import { en } from "../src/i18n/en/index.js";
import { viewTexts } from "../src/i18n/views.js";
import { contentOf, differs, viewOf } from "../src/model/saved-view.js";
import { linkToSavedView } from "../src/model/share.js";
import { DEFAULT_VIEW, linkedViewIn, searchFromView, viewFromSearch } from "../src/model/view.js";
import { SavedViews } from "../src/viewer/saved-views.js";
import { describeProblem } from "../src/viewer/views/changes.js";

const ID = "01a20a64-9c3e-7d11-b3a0-5e6f7a8b9c0d";
const SAVED: SavedView = {
  id: ID,
  name: "Denied",
  shared: false,
  revision: 3,
  changed_by: "jane",
  query: "outcome:denied",
  range: "7d",
  from: null,
  to: null,
  sort: "occurred_at",
  columns: ["action", "metadata.region"],
  group: "outcome",
  compare: false,
  tz: null,
};

describe("a saved view", () => {
  it("is shown and saved again without a difference", () => {
    const view = viewOf(SAVED);
    expect(view).toEqual({
      ...DEFAULT_VIEW,
      saved: ID,
      query: "outcome:denied",
      range: { kind: "preset", preset: "7d" },
      sort: "occurred_at",
      columns: ["action", "metadata.region"],
      group: "outcome",
    });
    expect(SAVED).toMatchObject(contentOf(view, view.columns ?? [], ""));
    const day = { ...SAVED, range: null, from: "2026-01-31", to: "2026-02-01T00:00:00Z", tz: "Asia/Tokyo" };
    expect(day).toMatchObject(contentOf(viewOf(day), viewOf(day).columns ?? [], "Asia/Tokyo"));
    expect(contentOf(DEFAULT_VIEW, ["action"], "")).toEqual({ query: "", range: null, from: null, to: null, sort: "-occurred_at", columns: ["action"], group: null, compare: false, tz: null });
  });

  it.each([
    [{}, false],
    [{ query: " outcome:denied " }, false],
    [{ query: "outcome:failure" }, true],
    [{ range: { kind: "ever" } as const }, true],
    [{ sort: "-occurred_at" }, true],
    [{ columns: ["metadata.region", "action"] }, true],
    [{ columns: null }, true],
    [{ group: "" }, true],
    [{ compare: true }, true],
    [{ open: "0193-a", live: true }, false],
  ])("differs after %o: %s", (changes, expected) => {
    expect(differs(SAVED, { ...viewOf(SAVED), ...changes }, "Asia/Tokyo")).toBe(expected);
  });

  it("differs by its zone only if it has one", () => {
    const inTokyo = { ...SAVED, tz: "Asia/Tokyo" };
    expect(["Asia/Tokyo", "", "UTC"].map((zone) => differs(inTokyo, viewOf(inTokyo), zone))).toEqual([false, true, true]);
  });
});

describe("the address", () => {
  it("names the saved view and says what is shown, so that it stays as it is", () => {
    for (const view of [viewOf(SAVED), { ...DEFAULT_VIEW, saved: ID }]) {
      const search = searchFromView(view);
      expect(viewFromSearch(search)).toEqual(view);
      expect(linkedViewIn(search)).toBe("");
    }
    expect(searchFromView(DEFAULT_VIEW, `?tab=2&view=${ID}&query=x`)).toBe("?tab=2");
  });

  it("of a link has only the view's id", () => {
    const page = { origin: "https://a.example", pathname: "/log", search: "?tab=2&token=t&query=x&tz=UTC&range=7d", hash: "#a" };
    const link = linkToSavedView(ID, page);
    expect(link).toBe(`https://a.example/log?tab=2&view=${ID}#a`);
    expect(linkedViewIn(new URL(link).search)).toBe(ID);
  });

  it("may have a parameter of the host page with this name", () => {
    expect(linkedViewIn("?view=grid")).toBe("");
    expect(viewFromSearch("?view=grid&query=x").saved).toBe("");
    expect(searchFromView(DEFAULT_VIEW, "?view=grid")).toBe("?view=grid");
  });
});

describe("the saved views", () => {
  const onChange = vi.fn<() => void>();
  const client = (answer: Promise<unknown>): Client => ({ json: () => answer }) as unknown as Client;
  const shared = { ...SAVED, id: ID.replace("0d", "0e"), name: "Shared", shared: true };
  let views: SavedViews;
  beforeEach(async () => {
    onChange.mockReset();
    views = new SavedViews(onChange);
    await views.load(client(Promise.resolve({ data: [shared, SAVED] })));
  });

  it("stay when loading them again fails", async () => {
    await views.load(client(Promise.reject(new Problem(503, "STORE_UNAVAILABLE", ""))));
    expect([views.all.length, views.problem?.code]).toEqual([2, "STORE_UNAVAILABLE"]);
    await views.load(client(Promise.resolve({ data: [] })));
    expect([views.all, views.problem, views.shown]).toEqual([[], null, false]);
  });

  it("keep their places, those of the tenant first", () => {
    views.put({ ...shared, name: "Renamed" });
    expect(views.all.map((one) => one.name)).toEqual(["Renamed", "Denied"]);
    views.put({ ...SAVED, shared: true });
    expect(views.all.map((one) => [one.name, one.shared])).toEqual([["Renamed", true], ["Denied", true]]);
    views.put({ ...shared, shared: false });
    expect(views.all.map((one) => one.name)).toEqual(["Denied", "Shared"]);
    views.remove(SAVED);
    expect(views.all.map((one) => one.name)).toEqual(["Shared"]);
    expect(onChange).toHaveBeenCalledTimes(5);
  });

  it("know whether the link's view exists", () => {
    views.linked = ID;
    expect([views.takeLinked(), views.missing, views.linked]).toEqual([SAVED, false, ""]);
    views.linked = ID.replace("0d", "0f");
    expect([views.takeLinked(), views.missing, views.shown]).toEqual([null, true, true]);
    views.dismiss();
    expect(views.missing).toBe(false);
  });
});

describe("a failed change", () => {
  it.each([
    [new Problem(412, "PRECONDITION_FAILED", ""), "conflict"],
    [new Problem(404, "NOT_FOUND", ""), "gone"],
    [new Problem(409, "CONFLICT", "", "", "name"), "name"],
    [new Problem(409, "CONFLICT", "", "", "shared"), "full"],
    [new Problem(400, "INPUT_INVALID", "", "", "query", null, null, "", [{ field: "query", message: "" }]), "tooLong"],
  ] as const)("%o is described in the reader's language", (problem, key) => {
    expect(describeProblem(problem, { language: "de", text: de })).toBe(viewTexts.de.problems[key]);
  });

  it("of another kind is described by its kind", () => {
    expect(describeProblem(new Problem(503, "STORE_UNAVAILABLE", ""), { language: "en", text: en })).toBe("The log is temporarily unavailable. Nothing is lost. Try again in a moment.");
  });
});

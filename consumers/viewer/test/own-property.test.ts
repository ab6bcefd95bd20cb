import { describe, expect, it } from "vitest";

import type { AuditEvent, ShownField } from "../src/api/types.js";
import { de } from "../src/i18n/de/index.js";
import { en } from "../src/i18n/en/index.js";
import { gridTracks, layoutColumns } from "../src/model/columns.js";
import { metadataLabel, valueOf } from "../src/model/format/value.js";
import { claimSameId, eventPath, isSameEvent, matchesReference, referenceOf } from "../src/model/identity.js";
import { fieldLabel, storedName } from "../src/model/labels.js";
import { ownValue } from "../src/model/own-property.js";

const INHERITED = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf", "__defineGetter__"];

const field = (name: string): ShownField =>
  ({ name, displayName: name, displayType: "AlphaNumeric", custom: true, parameter: `fields.${name}`, showInTable: true }) as ShownField;

/** Parses an event like a response, so that `__proto__` is an own property. */
const event = (fields: string): AuditEvent => JSON.parse(`{"source": "cloudtrail", "metadata": {}, "fields": ${fields}}`) as AuditEvent;

describe("a field with the name of an inherited member", () => {
  it.each(INHERITED)("%s has a value only where the event has one", (name) => {
    expect(valueOf(event("{}"), field(name))).toBeNull();
    expect(valueOf(event("{}"), { name, custom: false })).toBeNull();
    expect(valueOf(event(`{"${name}": "mine"}`), field(name))).toBe("mine");
    expect(ownValue({ a: 1 }, name)).toBeUndefined();
    expect(metadataLabel(`${name}:json`, event("{}"))).toBe(name);
  });

  it.each(INHERITED)("%s is a column like any other", (name) => {
    const usual = layoutColumns([field("usual")], { columns: null, pinned: [], widths: {} });
    const [column] = layoutColumns([field(name)], { columns: [name], pinned: [], widths: {} });
    expect(column).toEqual({ ...usual[0], field: field(name) });
    const widths = JSON.parse(`{"${name}": 300}`) as Record<string, number>;
    expect(gridTracks(layoutColumns([field("usual"), field(name)], { columns: [name, "usual"], pinned: [], widths }))).toMatch(/^300px /);
  });

  it.each(INHERITED)("%s keeps the name that it was given", (name) => {
    for (const text of [en, de]) {
      expect(fieldLabel({ name, displayName: "Shown" }, text)).toBe("Shown");
      expect(storedName(name, "Typed", text)).toBe("Typed");
    }
  });
});

describe("an event's identity", () => {
  const one = { event_id: "0193-a", occurred_at: "2026-01-31T13:45:00Z", content_hash: "aa", conflict: true };
  const twin = { ...one, content_hash: "bb" };

  it("consists of its id, its time and its content", () => {
    expect(isSameEvent(one, { ...one })).toBe(true);
    expect([isSameEvent(one, twin), claimSameId(one, twin)]).toEqual([false, true]);
    expect(claimSameId(one, { ...one, occurred_at: "2026-01-31T13:45:01Z" })).toBe(false);
  });

  it("has a short reference in the address", () => {
    expect(referenceOf({ ...one, conflict: false })).toBe("0193-a");
    expect([referenceOf(one), eventPath(referenceOf(one))]).toEqual(["0193-a.aa", "/v1/events/0193-a?content_hash=aa"]);
    expect([matchesReference("0193-a.aa", one), matchesReference("0193-a.aa", twin), matchesReference("0193-a", twin)]).toEqual([true, false, true]);
    expect(eventPath("a/b")).toBe("/v1/events/a%2Fb");
  });
});

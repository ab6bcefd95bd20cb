/** Changes of the structure in words. */
import type { Deed, Field, Revision, Structure } from "../../api/structure.js";
import type { Texts } from "../../i18n/en/index.js";
import { labelIn } from "../labels.js";
import { ATTRIBUTES, type Change, TOGGLES } from "./draft.js";
import type { Clash } from "./merge.js";
import { moved } from "./order.js";

type Words = Texts["settings"];
type Label = (name: string) => string;

/** A field's name for people, wherever it is now; else its own. */
export function labelOf(structure: Structure, name: string, text: Texts): string {
  const field = fieldOf(structure, name);
  return (field && labelIn(field, text)) || name;
}

function fieldOf(structure: Structure, name: string): Field | undefined {
  return [...structure.fields, ...structure.removed].find((one) => one.name === name);
}

/** One line for each change; the fields that only moved are one line together. */
export function changesSaid(changes: readonly Change[], structure: Structure, text: Texts): string[] {
  const words = text.settings;
  const elsewhere = changes.filter((one) => one.what === "place").map((one) => labelOf(structure, one.name, text));
  const lines = changes
    .filter((one) => one.what !== "place")
    .map((one) => words.line(labelOf(structure, one.name, text), phrase(one.what, one.was, one.now, valued(one.name, text), words)));
  return elsewhere.length ? [...lines, words.history.moved(words.list(elsewhere))] : lines;
}

/** What each of these revisions did, the newest first and without a gap: with the names that fields had then, and have now. */
export function historySaid(revisions: readonly Revision[], structure: Structure, text: Texts): string[][] {
  const then = new Map<string, string>(); // after the revision that is told
  const label: Label = (name) => {
    const [old, now] = [then.get(name) ?? "", labelOf(structure, name, text)];
    return old && old !== now ? text.settings.history.nowCalled(old, now) : now;
  };
  return revisions.map((revision) => {
    const lines = revisionSaid(revision, structure, text, label);
    for (const { field, values } of revision.changes) {
      const [was] = values["displayName"] ?? [];
      const before = was ?? (field && fieldOf(structure, field)?.inherited?.displayName);
      if (field && "displayName" in values && before) then.set(field, valued(field, text)(before));
    }
    return lines;
  });
}

/** What a revision did, in words. */
export function revisionSaid(
  revision: Revision,
  structure: Structure,
  text: Texts,
  label: Label = (name) => labelOf(structure, name, text),
): string[] {
  const words = text.settings;
  const orders: Shift[] = [];
  const lines = revision.changes.flatMap((deed) => {
    if (deed.field === null) return [switchSaid(deed, structure.tenant !== null, words)];
    const called = label(deed.field);
    const values = differing(deed, structure);
    if ("order" in values && (deed.deed === "added" || deed.deed === "changed")) {
      const [was, now] = values["order"] as [number, number];
      orders.push({ label: called, was, now });
    }
    return deedSaid(deed, values, called, text);
  });
  if (orders.length) lines.push(words.history.moved(words.list(movedOf(orders))));
  return lines.length ? lines : [words.history.contract];
}

/** What both changed, as the two want it. */
export function clashSaid(clash: Clash, structure: Structure, text: Texts): string {
  const words = text.settings;
  const called = valued(clash.name, text);
  const told = (value: unknown): string => {
    if (typeof value === "boolean") return value ? words.yes : words.no;
    return typeof value === "number" ? words.conflict.placed(String(value + 1)) : words.quoted(called(value));
  };
  const { conflict } = words;
  return conflict.mineTheirs(labelOf(structure, clash.name, text), conflict.what[clash.what], told(clash.mine), told(clash.theirs));
}

function deedSaid(deed: Deed, values: Deed["values"], label: string, text: Texts): string[] {
  const words = text.settings;
  const { history } = words;
  if (deed.deed === "removed" || deed.deed === "restored" || deed.deed === "reset") return [history[deed.deed](label)];
  if (deed.deed === "added" && !Object.keys(values).length) return [history.added(label)];
  const said = ATTRIBUTES.filter((what) => what in values).map((what) => {
    const [was, now] = values[what] as [unknown, unknown];
    return phrase(what, was, now, valued(deed.field ?? "", text), words);
  });
  return said.length ? [words.line(label, words.list(said))] : [];
}

/**
 * The attributes that a deed made different. What a scope says of an inherited field for the first time is all of it:
 * then only what differs from the inherited is told.
 */
function differing(deed: Deed, structure: Structure): Deed["values"] {
  const field = [...structure.fields, ...structure.removed].find((one) => one.name === deed.field);
  if (deed.deed !== "added") return deed.values;
  if (!field?.inherited) return {}; // new as a whole
  const inherited = field.inherited as unknown as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(deed.values)
      .filter(([what, [, now]]) => what in inherited && inherited[what] !== now)
      .map(([what, [, now]]) => [what, [inherited[what], now]]),
  );
}

interface Shift {
  label: string;
  was: number;
  now: number;
}

/** Those that passed others; the others only made room. When none did, each passed one that has no line. */
function movedOf(orders: readonly Shift[]): string[] {
  const by = (key: "was" | "now"): string[] => [...orders].sort((one, other) => one[key] - other[key]).map((one) => one.label);
  const found = moved(by("was"), by("now"));
  return found.length ? found : orders.map((one) => one.label);
}

function switchSaid(deed: Deed, isTenant: boolean, words: Words): string {
  const now = deed.values["enabled"]?.[1];
  if (now === null || now === undefined) return isTenant ? words.history.follows : words.history.unset;
  return now ? words.history.on : words.history.off;
}

/** A value of a field's name, in the reader's language where nobody gave it. */
function valued(name: string, text: Texts): (displayName: unknown) => string {
  return (displayName) => labelIn({ name, displayName: String(displayName ?? "") }, text);
}

function phrase(what: Change["what"], was: unknown, now: unknown, called: (name: unknown) => string, words: Words): string {
  const { phrases } = words;
  if (what === "displayName") return phrases.displayName(called(was), called(now));
  if (what === "displayType") return phrases.displayType(words.types[now as Field["displayType"]] ?? String(now));
  const toggle = TOGGLES.find((one) => one === what);
  if (toggle) return now ? phrases[toggle].on : phrases[toggle].off;
  return what === "place" ? phrases.place : phrases.follows;
}

/** Changes of the structure in words. */
import type { RevisionChange, Field, Revision, Structure } from "../../api/structure.js";
import type { Texts } from "../../i18n/en/index.js";
import { labelIn } from "../labels.js";
import { ownValue } from "../own-property.js";
import { ATTRIBUTES, type Change, TOGGLES } from "./draft.js";
import type { Clash } from "./merge.js";
import { moved } from "./order.js";

type Words = Texts["settings"];

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

/** What a revision did, in words; fields by the names that they had then, and have now. */
export function revisionSaid(revision: Revision, structure: Structure, text: Texts): string[] {
  const { history, list } = text.settings;
  const label = (name: string): string => {
    const now = fieldOf(structure, name) && labelOf(structure, name, text);
    const then = valued(name, text)(ownValue(revision.labels, name) ?? now ?? name);
    return now === undefined || then === now ? then : history.nowCalled(then, now);
  };
  const lines = revision.changes.flatMap((deed) =>
    deed.field === null ? [switchSaid(deed, structure.tenant !== null, text.settings)] : deedSaid(deed, label(deed.field), text),
  );
  const elsewhere = movedOf(revision);
  if (elsewhere.length) lines.push(history.moved(list(elsewhere.map(label))));
  return lines.length ? lines : [history.contract];
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

function deedSaid({ deed, field, values }: RevisionChange, label: string, text: Texts): string[] {
  const words = text.settings;
  if (deed !== "changed" && deed !== "switched") return [words.history[deed](label)];
  const said = ATTRIBUTES.filter((what) => what in values).map((what) => {
    const [was, now] = values[what] as [unknown, unknown];
    return phrase(what, was, now, valued(field ?? "", text), words);
  });
  return said.length ? [words.line(label, words.list(said))] : [];
}

/** The fields that stand elsewhere, by name: the fewest that explain it, of equally few those with another number. */
function movedOf({ changes, sequence }: Revision): string[] {
  const numbered = changes.filter((one) => one.deed === "changed" && "order" in one.values);
  const names = (deeds: readonly RevisionChange[]): string[] => deeds.map((one) => one.field as string);
  if (!sequence) return names(numbered.filter((one) => Object.keys(one.values).length === 1));
  const told = new Set(changes.filter((one) => one.deed !== "changed").map((one) => one.field));
  return moved(...sequence, new Set(names(numbered))).filter((name) => !told.has(name));
}

function switchSaid(deed: RevisionChange, isTenant: boolean, words: Words): string {
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

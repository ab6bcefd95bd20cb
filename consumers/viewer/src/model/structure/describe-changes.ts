/** Describes changes to the structure in the reader's language. */
import type { Field, Revision, RevisionChange, Structure } from "../../api/structure.js";
import type { SettingsTexts } from "../../i18n/settings.js";
import { fieldLabel } from "../labels.js";
import { ownValue } from "../own-property.js";
import { ATTRIBUTES, type Change, TOGGLES } from "./draft.js";
import type { MergeConflict } from "./merge.js";
import { movedFields } from "./order.js";

type Words = SettingsTexts["settings"];

/** Returns the label of a field, which may have been removed, or its name if it has no label. */
export function labelByName(structure: Structure, name: string, text: SettingsTexts): string {
  const field = fieldOf(structure, name);
  return (field && fieldLabel(field, text)) || name;
}

function fieldOf(structure: Structure, name: string): Field | undefined {
  return [...structure.fields, ...structure.removed].find((field) => field.name === name);
}

/** Returns one line per change, and one line for all fields that were only moved. */
export function describeChanges(changes: readonly Change[], structure: Structure, text: SettingsTexts): string[] {
  const words = text.settings;
  const label = (change: Change): string => labelByName(structure, change.name, text);
  const moved = changes.filter(({ attribute }) => attribute === "place").map(label);
  const lines = changes
    .filter(({ attribute }) => attribute !== "place")
    .map((change) => {
      const { name, attribute, before, after } = change;
      return words.line(label(change), describeAttribute(attribute, before, after, nameFormatter(name, text), words));
    });
  return moved.length ? [...lines, words.history.moved(words.list(moved))] : lines;
}

/** Describes a revision. Fields have the labels that they had then, followed by the current ones. */
export function describeRevision(revision: Revision, structure: Structure, text: SettingsTexts): string[] {
  const { history, list } = text.settings;
  const label = (name: string): string => {
    const now = fieldOf(structure, name) && labelByName(structure, name, text);
    const then = nameFormatter(name, text)(ownValue(revision.labels, name) ?? now ?? name);
    return now === undefined || then === now ? then : history.nowCalled(then, now);
  };
  const lines = revision.changes.flatMap((change) =>
    change.action ? [describeActionChange(change, text)] : change.field === null
      ? [describeSwitch(change, structure.tenant !== null, text.settings)]
      : describeRevisionChange(change, label(change.field), text),
  );
  const moved = movedFieldsIn(revision);
  if (moved.length) lines.push(history.moved(list(moved.map(label))));
  return lines.length ? lines : [history.contract];
}

/** Describes an attribute that both users changed, with both values. */
export function describeConflict(conflict: MergeConflict, structure: Structure, text: SettingsTexts): string {
  const words = text.settings;
  const formatName = nameFormatter(conflict.name, text);
  const formatValue = (value: unknown): string => {
    if (typeof value === "boolean") return value ? words.yes : words.no;
    return typeof value === "number" ? words.conflict.placed(String(value + 1)) : words.quoted(formatName(value));
  };
  const texts = words.conflict;
  const label = labelByName(structure, conflict.name, text);
  return texts.mineTheirs(label, texts.what[conflict.attribute], formatValue(conflict.mine), formatValue(conflict.theirs));
}

function describeActionChange({ kind, action, values }: RevisionChange, { settings }: SettingsTexts): string {
  const { history, list, quoted } = settings;
  if (kind === "removed") return history.actionRemoved(action ?? "");
  return history.actionNamed(action ?? "", list(Object.values(values).flatMap(([, now]) => (now === null ? [] : [quoted(String(now))]))));
}

function describeRevisionChange({ kind, field, values }: RevisionChange, label: string, text: SettingsTexts): string[] {
  const words = text.settings;
  if (kind !== "changed" && kind !== "switched") return [words.history[kind](label)];
  const phrases = ATTRIBUTES.filter((what) => what in values).map((what) => {
    const [was, now] = values[what] as [unknown, unknown];
    return describeAttribute(what, was, now, nameFormatter(field ?? "", text), words);
  });
  if ("links" in values) phrases.push(words.phrases.links);
  return phrases.length ? [words.line(label, words.list(phrases))] : [];
}

/** Returns the names of moved fields. These are as few as explain the new order, preferably those with a changed number. */
function movedFieldsIn({ changes, sequence }: Revision): string[] {
  const numbered = changes.filter((change) => change.kind === "changed" && "order" in change.values);
  const names = (list: readonly RevisionChange[]): string[] => list.map((change) => change.field as string);
  if (!sequence) return names(numbered.filter((change) => Object.keys(change.values).length === 1));
  const described = new Set(changes.filter((change) => change.kind !== "changed").map((change) => change.field));
  return movedFields(...sequence, new Set(names(numbered))).filter((name) => !described.has(name));
}

function describeSwitch(change: RevisionChange, isTenant: boolean, words: Words): string {
  const now = change.values["enabled"]?.[1];
  if (now === null || now === undefined) return isTenant ? words.history.follows : words.history.unset;
  return now ? words.history.on : words.history.off;
}

/** Returns a formatter for the field's display names, which translates default ones. */
function nameFormatter(name: string, text: SettingsTexts): (displayName: unknown) => string {
  return (displayName) => fieldLabel({ name, displayName: String(displayName ?? "") }, text);
}

function describeAttribute(what: Change["attribute"], was: unknown, now: unknown, formatName: (name: unknown) => string, words: Words): string {
  const { phrases } = words;
  if (what === "displayName") return phrases.displayName(formatName(was), formatName(now));
  if (what === "displayType") return phrases.displayType(words.types[now as Field["displayType"]] ?? String(now));
  const toggle = TOGGLES.find((one) => one === what);
  if (toggle) return now ? phrases[toggle].on : phrases[toggle].off;
  return what === "place" ? phrases.place : phrases.follows;
}

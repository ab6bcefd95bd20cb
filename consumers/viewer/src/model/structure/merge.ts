/** Rebases unsaved changes onto a structure saved by another user. */
import type { Field, Structure } from "../../api/structure.js";
import { type Attribute, ATTRIBUTES, type Change, changesOf, type Draft, draftOf } from "./draft.js";
import { movedFields, moveTo } from "./order.js";

/** An attribute of a field that both users changed to different values. */
export interface MergeConflict {
  name: string;
  attribute: Attribute | "place";
  mine: unknown;
  theirs: unknown;
}

export interface MergeResult {
  draft: Draft;
  conflicts: MergeConflict[];
  /** Changed fields that no longer exist. */
  lostFields: string[];
}

/** What others changed between two versions. `added` and `removed` contain names. */
export interface RemoteChanges {
  changes: Change[];
  added: string[];
  removed: string[];
  /** The switch, if it changed. */
  enabled: boolean | null;
}

export function remoteChanges(base: Structure, theirs: Structure): RemoteChanges {
  const before = names(base.fields);
  const after = names(theirs.fields);
  return {
    changes: changesOf({ base, fields: theirs.fields, movedByUser: new Set() }).filter((change) => change.attribute !== "follows"),
    added: after.filter((name) => !before.includes(name)),
    removed: before.filter((name) => !after.includes(name)),
    enabled: base.effectiveEnabled === theirs.effectiveEnabled ? null : theirs.effectiveEnabled,
  };
}

/** Rebases a draft onto a newer structure. If both changed the same attribute, the draft wins. */
export function rebase(draft: Draft, theirs: Structure): MergeResult {
  const mineByName = new Map(draft.fields.map((field) => [field.name, field]));
  const baseByName = new Map(draft.base.fields.map((field) => [field.name, field]));
  const conflicts: MergeConflict[] = [];
  const fields = theirs.fields.map((their) => {
    const own = mineByName.get(their.name);
    const before = baseByName.get(their.name);
    return own && before ? mergeField(before, own, their, conflicts) : their;
  });
  const present = new Set(names(theirs.fields));
  const lostFields = [...new Set(changesOf(draft).map((change) => change.name))].filter((name) => !present.has(name));
  const ordered = mergeOrder(draft, theirs, fields, conflicts);
  return { draft: { ...draftOf(theirs), movedByUser: draft.movedByUser, fields: ordered }, conflicts, lostFields };
}

/** Returns the draft after `sent` was saved. Changes in `now` that were made in the meantime are kept. */
export function rebaseUnsaved(sent: Draft, now: Draft, saved: Structure): Draft {
  if (sent === now) return draftOf(saved);
  return rebase({ ...now, base: { ...now.base, fields: [...sent.fields] } }, saved).draft;
}

function mergeField(before: Field, own: Field, their: Field, conflicts: MergeConflict[]): Field {
  let field = their;
  for (const attribute of ATTRIBUTES) {
    if (own[attribute] === before[attribute]) continue;
    field = { ...field, [attribute]: own[attribute] };
    if (their[attribute] !== before[attribute] && their[attribute] !== own[attribute]) {
      conflicts.push({ name: own.name, attribute, mine: own[attribute], theirs: their[attribute] });
    }
  }
  return own.order === before.order ? field : { ...field, order: own.order }; // the field inherits its position again
}

/** Places each field that the draft moved after the same field as in the draft. */
function mergeOrder(draft: Draft, theirs: Structure, fields: Field[], conflicts: MergeConflict[]): Field[] {
  const before = names(draft.base.fields);
  const own = names(draft.fields);
  const their = names(theirs.fields);
  const theyMoved = new Set(movedFields(before, their));
  let found = fields;
  for (const name of movedFields(before, own, draft.movedByUser)) {
    if (!their.includes(name)) continue;
    const ahead = own.slice(0, own.indexOf(name)).reverse().find((one) => their.includes(one));
    const rest = names(found).filter((one) => one !== name);
    const to = ahead === undefined ? 0 : rest.indexOf(ahead) + 1;
    if (theyMoved.has(name) && to !== their.indexOf(name)) {
      conflicts.push({ name, attribute: "place", mine: to, theirs: their.indexOf(name) });
    }
    found = moveTo(found, name, to);
  }
  return found;
}

function names(fields: readonly Field[]): string[] {
  return fields.map((field) => field.name);
}

/** One's own unsaved changes on top of what somebody else saved meanwhile. */
import type { Field, Structure } from "../../api/structure.js";
import { ATTRIBUTES, type Attribute, type Change, changesOf, type Draft, draftOf } from "./draft.js";
import { movedFields, moveTo } from "./order.js";

/** Both changed the same thing of a field to something different. */
export interface MergeConflict {
  name: string;
  attribute: Attribute | "place";
  mine: unknown;
  theirs: unknown;
}

export interface MergeResult {
  draft: Draft;
  conflicts: MergeConflict[];
  /** Fields that one changed and that are gone. */
  lostFields: string[];
}

/** What others changed between two states; `added` and `gone` are names. */
export interface RemoteChanges {
  changes: Change[];
  added: string[];
  removed: string[];
  /** The switch, when it was switched. */
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

/** The draft, made of an older state, as one of this state; where both changed the same, one's own counts. */
export function rebase(draft: Draft, theirs: Structure): MergeResult {
  const mine = new Map(draft.fields.map((field) => [field.name, field]));
  const was = new Map(draft.base.fields.map((field) => [field.name, field]));
  const conflicts: MergeConflict[] = [];
  const fields = theirs.fields.map((their) => {
    const own = mine.get(their.name);
    const before = was.get(their.name);
    return own && before ? mergeField(before, own, their, conflicts) : their;
  });
  const present = new Set(names(theirs.fields));
  const lostFields = [...new Set(changesOf(draft).map((change) => change.name))].filter((name) => !present.has(name));
  return { draft: { ...draftOf(theirs), movedByUser: draft.movedByUser, fields: mergeOrder(draft, theirs, fields, conflicts) }, conflicts, lostFields };
}

/** What is not saved yet after `sent` was: what was changed since, as it is in `now`. */
export function rebaseUnsaved(sent: Draft, now: Draft, saved: Structure): Draft {
  if (sent === now) return draftOf(saved);
  return rebase({ ...now, base: { ...now.base, fields: [...sent.fields] } }, saved).draft;
}

function mergeField(before: Field, own: Field, their: Field, clashes: MergeConflict[]): Field {
  let field = their;
  for (const attribute of ATTRIBUTES) {
    if (own[attribute] === before[attribute]) continue;
    field = { ...field, [attribute]: own[attribute] };
    if (their[attribute] !== before[attribute] && their[attribute] !== own[attribute]) {
      clashes.push({ name: own.name, attribute, mine: own[attribute], theirs: their[attribute] });
    }
  }
  return own.order === before.order ? field : { ...field, order: own.order }; // it follows again
}

/** Each field that one moved stands behind the same field as in one's own list. */
function mergeOrder(draft: Draft, theirs: Structure, fields: Field[], clashes: MergeConflict[]): Field[] {
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
      clashes.push({ name, attribute: "place", mine: to, theirs: their.indexOf(name) });
    }
    found = moveTo(found, name, to);
  }
  return found;
}

function names(fields: readonly Field[]): string[] {
  return fields.map((field) => field.name);
}

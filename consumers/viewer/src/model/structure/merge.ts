/** One's own unsaved changes on top of what somebody else saved meanwhile. */
import type { Field, Structure } from "../../api/structure.js";
import { ATTRIBUTES, type Attribute, type Change, changesOf, type Draft, draftOf } from "./draft.js";
import { moved, withMoved } from "./order.js";

/** Both changed the same thing of a field to something different. */
export interface Clash {
  name: string;
  what: Attribute | "place";
  mine: unknown;
  theirs: unknown;
}

export interface Merged {
  draft: Draft;
  clashes: Clash[];
  /** Fields that one changed and that are gone. */
  lost: string[];
}

/** What others changed between two states; `added` and `gone` are names. */
export interface Meanwhile {
  changes: Change[];
  added: string[];
  gone: string[];
  /** The switch, when it was switched. */
  enabled: boolean | null;
}

export function meanwhile(base: Structure, theirs: Structure): Meanwhile {
  const [before, after] = [names(base.fields), names(theirs.fields)];
  return {
    changes: changesOf({ base, fields: theirs.fields, taken: new Set() }).filter((one) => one.what !== "follows"),
    added: after.filter((name) => !before.includes(name)),
    gone: before.filter((name) => !after.includes(name)),
    enabled: base.effectiveEnabled === theirs.effectiveEnabled ? null : theirs.effectiveEnabled,
  };
}

/** The draft, made of an older state, as one of this state; where both changed the same, one's own counts. */
export function rebased(draft: Draft, theirs: Structure): Merged {
  const mine = new Map(draft.fields.map((one) => [one.name, one]));
  const was = new Map(draft.base.fields.map((one) => [one.name, one]));
  const clashes: Clash[] = [];
  const fields = theirs.fields.map((their) => {
    const [own, before] = [mine.get(their.name), was.get(their.name)];
    return own && before ? merged(before, own, their, clashes) : their;
  });
  const present = new Set(names(theirs.fields));
  const lost = [...new Set(changesOf(draft).map((one) => one.name))].filter((name) => !present.has(name));
  return { draft: { ...draftOf(theirs), taken: draft.taken, fields: placed(draft, theirs, fields, clashes) }, clashes, lost };
}

/** What is not saved yet after `sent` was: what was changed since, as it is in `now`. */
export function carried(sent: Draft, now: Draft, saved: Structure): Draft {
  if (sent === now) return draftOf(saved);
  return rebased({ ...now, base: { ...now.base, fields: [...sent.fields] } }, saved).draft;
}

function merged(before: Field, own: Field, their: Field, clashes: Clash[]): Field {
  let field = their;
  for (const what of ATTRIBUTES) {
    if (own[what] === before[what]) continue;
    field = { ...field, [what]: own[what] };
    if (their[what] !== before[what] && their[what] !== own[what]) {
      clashes.push({ name: own.name, what, mine: own[what], theirs: their[what] });
    }
  }
  return own.order === before.order ? field : { ...field, order: own.order }; // it follows again
}

/** Each field that one moved stands behind the same field as in one's own list. */
function placed(draft: Draft, theirs: Structure, fields: Field[], clashes: Clash[]): Field[] {
  const [before, own, their] = [names(draft.base.fields), names(draft.fields), names(theirs.fields)];
  const theyMoved = new Set(moved(before, their));
  let found = fields;
  for (const name of moved(before, own, draft.taken)) {
    if (!their.includes(name)) continue;
    const ahead = own.slice(0, own.indexOf(name)).reverse().find((one) => their.includes(one));
    const rest = names(found).filter((one) => one !== name);
    const to = ahead === undefined ? 0 : rest.indexOf(ahead) + 1;
    if (theyMoved.has(name) && to !== their.indexOf(name)) {
      clashes.push({ name, what: "place", mine: to, theirs: their.indexOf(name) });
    }
    found = withMoved(found, name, to);
  }
  return found;
}

function names(fields: readonly Field[]): string[] {
  return fields.map((one) => one.name);
}

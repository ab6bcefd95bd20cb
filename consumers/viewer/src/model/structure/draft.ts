/** What an admin changed in the list of fields and did not save yet. */
import type { Field, FieldView, Structure } from "../../api/structure.js";
import { moved, ordered, withMoved } from "./order.js";

export const TOGGLES = ["showInTable", "showInMoreInfo", "downloadable", "filterable", "sortable"] as const;
export type Toggle = (typeof TOGGLES)[number];
export const ATTRIBUTES = ["displayName", "displayType", ...TOGGLES] as const;
export type Attribute = (typeof ATTRIBUTES)[number];

export interface Draft {
  /** What was read. */
  base: Structure;
  /** How it is to be, in this sequence. `order` is the number that a field keeps if its place allows. */
  fields: readonly Field[];
  /** Those that were taken to their places, and did not only make room. */
  taken: ReadonlySet<string>;
}

/** One difference; `place`: it stands elsewhere, `follows`: it takes its inherited place again. */
export interface Change {
  name: string;
  what: Attribute | "place" | "follows";
  was: unknown;
  now: unknown;
}

export function draftOf(base: Structure): Draft {
  return { base, fields: base.fields, taken: new Set() };
}

export function set(draft: Draft, name: string, what: Partial<FieldView>): Draft {
  return { ...draft, fields: draft.fields.map((one) => (one.name === name ? { ...one, ...what } : one)) };
}

export function move(draft: Draft, name: string, to: number): Draft {
  return { ...draft, fields: withMoved(draft.fields, name, to), taken: new Set([...draft.taken, name]) };
}

/** As inherited in everything, its place too. A field of the scope's own has nothing to inherit. */
export function reset(draft: Draft, name: string): Draft {
  const here = draft.fields.find((one) => one.name === name);
  if (!here?.inherited) return draft;
  const field: Field = { ...here, ...here.inherited };
  const rest = draft.fields.filter((one) => one !== here);
  const orders = ordered(rest);
  const after = rest.findIndex((one) => {
    const order = orders.get(one.name) as number;
    return order > field.order || (order === field.order && one.name > name);
  });
  return { ...draft, fields: rest.toSpliced(after < 0 ? rest.length : after, 0, field) };
}

/** Without a field, and without what was changed of it. */
export function without({ base, fields, taken }: Draft, name: string): Draft {
  const others = (list: readonly Field[]): Field[] => list.filter((one) => one.name !== name);
  return { base: { ...base, fields: others(base.fields) }, fields: others(fields), taken };
}

/** Whether the scope shows it otherwise than it would be inherited. */
export function isOwn(field: Field): boolean {
  const { inherited } = field;
  return !!inherited && ([...ATTRIBUTES, "order"] as const).some((what) => inherited[what] !== field[what]);
}

/** Every difference to what was read, in the list's sequence. Fields that only one of them has are none. */
export function changesOf({ base, fields, taken }: Draft): Change[] {
  const before = new Map(base.fields.map((one, place) => [one.name, { one, place }]));
  const elsewhere = new Set(
    moved(
      base.fields.map((one) => one.name),
      fields.map((one) => one.name),
      taken,
    ),
  );
  return fields.flatMap((field, place) => {
    const was = before.get(field.name);
    if (!was) return [];
    const { name } = field;
    const found: Change[] = ATTRIBUTES.filter((what) => was.one[what] !== field[what]).map((what) => ({
      name,
      what,
      was: was.one[what],
      now: field[what],
    }));
    if (elsewhere.has(name)) found.push({ name, what: "place", was: was.place, now: place });
    else if (was.one.order !== field.order) found.push({ name, what: "follows", was: was.one.order, now: field.order });
    return found;
  });
}

/** What to save. A field that is stated as it is inherited goes on following. */
export function stated(draft: Draft): ({ name: string } & FieldView)[] {
  const orders = ordered(draft.fields, draft.taken);
  return draft.fields.map((field) => ({
    name: field.name,
    displayName: field.displayName.trim(),
    displayType: field.displayType,
    showInTable: field.showInTable,
    showInMoreInfo: field.showInMoreInfo,
    downloadable: field.downloadable,
    filterable: field.filterable,
    sortable: field.sortable,
    order: orders.get(field.name) as number,
  }));
}

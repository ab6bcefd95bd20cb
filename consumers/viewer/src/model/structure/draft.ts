/** What an admin changed in the list of fields and did not save yet. */
import type { Field, FieldView, Structure } from "../../api/structure.js";
import { movedFields, assignOrders, moveTo } from "./order.js";

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
  movedByUser: ReadonlySet<string>;
}

/** One difference; `place`: it stands elsewhere, `follows`: it takes its inherited place again. */
export interface Change {
  name: string;
  attribute: Attribute | "place" | "follows";
  before: unknown;
  after: unknown;
}

export function draftOf(base: Structure): Draft {
  return { base, fields: base.fields, movedByUser: new Set() };
}

export function setField(draft: Draft, name: string, what: Partial<FieldView>): Draft {
  return { ...draft, fields: draft.fields.map((field) => (field.name === name ? { ...field, ...what } : field)) };
}

export function moveField(draft: Draft, name: string, to: number): Draft {
  return { ...draft, fields: moveTo(draft.fields, name, to), movedByUser: new Set([...draft.movedByUser, name]) };
}

/** As inherited in everything, its place too. A field of the scope's own has nothing to inherit. */
export function resetField(draft: Draft, name: string): Draft {
  const here = draft.fields.find((field) => field.name === name);
  if (!here?.inherited) return draft;
  const field: Field = { ...here, ...here.inherited };
  const rest = draft.fields.filter((field) => field !== here);
  const orders = assignOrders(rest);
  const after = rest.findIndex((next) => {
    const order = orders.get(next.name) as number;
    return order > field.order || (order === field.order && next.name > name);
  });
  return { ...draft, fields: rest.toSpliced(after < 0 ? rest.length : after, 0, field) };
}

/** Without a field, and without what was changed of it. */
export function withoutField({ base, fields, movedByUser }: Draft, name: string): Draft {
  const others = (list: readonly Field[]): Field[] => list.filter((field) => field.name !== name);
  return { base: { ...base, fields: others(base.fields) }, fields: others(fields), movedByUser };
}

/** Whether the scope shows it otherwise than it would be inherited. */
export function isOverridden(field: Field): boolean {
  const { inherited } = field;
  return !!inherited && ([...ATTRIBUTES, "order"] as const).some((what) => inherited[what] !== field[what]);
}

/** Every difference to what was read, in the list's sequence. Fields that only one of them has are none. */
export function changesOf({ base, fields, movedByUser }: Draft): Change[] {
  const names = (list: readonly Field[]): string[] => list.map((field) => field.name);
  const previous = new Map(base.fields.map((field, place) => [field.name, { field, place }]));
  const moved = new Set(movedFields(names(base.fields), names(fields), movedByUser));
  return fields.flatMap((field, place) => {
    const old = previous.get(field.name);
    if (!old) return [];
    const { name } = field;
    const changed = ATTRIBUTES.filter((attribute) => old.field[attribute] !== field[attribute]);
    const changes: Change[] = changed.map((attribute) => ({ name, attribute, before: old.field[attribute], after: field[attribute] }));
    if (moved.has(name)) changes.push({ name, attribute: "place", before: old.place, after: place });
    else if (old.field.order !== field.order) changes.push({ name, attribute: "follows", before: old.field.order, after: field.order });
    return changes;
  });
}

/** What to save. A field that is stated as it is inherited goes on following. */
export function fieldsToSave(draft: Draft): ({ name: string } & FieldView)[] {
  const orders = assignOrders(draft.fields, draft.movedByUser);
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

/** Unsaved changes to the list of fields. */
import type { Field, FieldView, Structure } from "../../api/structure.js";
import { assignOrders, movedFields, moveTo } from "./order.js";

export const TOGGLES = ["showInTable", "showInMoreInfo", "downloadable", "filterable", "sortable"] as const;
export type Toggle = (typeof TOGGLES)[number];
export const ATTRIBUTES = ["displayName", "displayType", ...TOGGLES] as const;
export type Attribute = (typeof ATTRIBUTES)[number];

export interface Draft {
  /** The structure that was loaded. */
  base: Structure;
  /** The edited fields, in order. A field keeps its number `order` if its position allows it. */
  fields: readonly Field[];
  /** The fields that the user has moved, without those that only made room for them. */
  movedByUser: ReadonlySet<string>;
}

/** One difference. `place` means that the field has moved, and `follows` that it returns to its inherited position. */
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

/** Resets a field to its inherited state, including its position. Fields of the scope's own are kept. */
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

/** Removes a field and its changes from the draft. */
export function withoutField({ base, fields, movedByUser }: Draft, name: string): Draft {
  const others = (list: readonly Field[]): Field[] => list.filter((field) => field.name !== name);
  return { base: { ...base, fields: others(base.fields) }, fields: others(fields), movedByUser };
}

/** Whether the scope overrides the inherited presentation. */
export function isOverridden(field: Field): boolean {
  const { inherited } = field;
  return !!inherited && ([...ATTRIBUTES, "order"] as const).some((what) => inherited[what] !== field[what]);
}

/** Returns all differences from the loaded structure, in the order of the list. Added and removed fields are ignored. */
export function changesOf({ base, fields, movedByUser }: Draft): Change[] {
  const names = (list: readonly Field[]): string[] => list.map((field) => field.name);
  const previous = new Map(base.fields.map((field, index) => [field.name, { field, index }]));
  const moved = new Set(movedFields(names(base.fields), names(fields), movedByUser));
  return fields.flatMap((field, index) => {
    const old = previous.get(field.name);
    if (!old) return [];
    const { name } = field;
    const changed = ATTRIBUTES.filter((attribute) => old.field[attribute] !== field[attribute]);
    const changes: Change[] = changed.map((attribute) => ({ name, attribute, before: old.field[attribute], after: field[attribute] }));
    if (moved.has(name)) changes.push({ name, attribute: "place", before: old.index, after: index });
    else if (old.field.order !== field.order) changes.push({ name, attribute: "follows", before: old.field.order, after: field.order });
    return changes;
  });
}

/** Returns the fields to send. A field that equals its inherited presentation continues to inherit it. */
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

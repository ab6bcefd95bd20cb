/** Lays out the columns of the table: the tenant's choice, overridden by the user's preferences. */
import {
  columnOrderingFeature,
  columnSizingFeature,
  columnVisibilityFeature,
  constructTable,
  tableFeatures,
} from "@tanstack/table-core";
import { storeReactivityBindings } from "@tanstack/table-core/store-reactivity-bindings";

import type { AuditEvent, DisplayType, ShownField } from "../api/types.js";
import { ownValue } from "./own-property.js";
import type { Preferences } from "./preferences.js";

export interface Column {
  field: ShownField;
  /** In px. */
  width: number;
  /** The column's share of the remaining width of the table, or 0 for a column of fixed width. */
  grow: number;
  /** Whether the column stays in place when the table scrolls horizontally. Pinned columns come first. */
  pinned: boolean;
}

export const MIN_WIDTH = 64;
export const MAX_WIDTH = 1_200;
/** With more columns, there would be no room to scroll the others. */
export const MAX_PINNED = 4;

const PINNED_SHARE = 60; // maximum percentage of the table's width
const EDGE_PX = 3; // the edge of the active row stays visible

/** The name of the column with an event's sentence. Field names never contain a dot. */
export const SENTENCE = "event.sentence";
const METADATA = "metadata.";

const WIDTH_BY_TYPE: Record<DisplayType, number> = {
  Timestamp: 195,
  Email: 200,
  AlphaNumeric: 140,
  IpAddress: 135,
  Severity: 108,
  Json: 260,
  Number: 120,
  Boolean: 96,
};
const WIDTH_BY_NAME: Record<string, number> = {
  action: 280, // a label and a name
  actor_name: 180, // initials and a name
  actor_type: 110,
  description: 320,
  outcome: 112,
  resource: 200,
  user_agent: 190,
  [SENTENCE]: 380,
};
/** Fields with long, varied values get most of the remaining width. */
const GROW_SHARES: Record<string, number> = { description: 3, resource: 3, [SENTENCE]: 3 };
const GROWING_COLUMNS = 2; // number of columns that grow, while the others keep their width and position
const TEXTS = new Set<DisplayType>(["AlphaNumeric", "Email", "Json"]);

const features = tableFeatures({
  coreReactivityFeature: storeReactivityBindings(),
  columnOrderingFeature,
  columnSizingFeature,
  columnVisibilityFeature,
});

/**
 * Returns the columns to show, in order. These are the tenant's columns if none of the user's still exist. `minWidths`
 * are in px, by field name or by type; a name takes precedence.
 */
export function layoutColumns(
  fields: readonly ShownField[],
  preferences: Pick<Preferences, "columns" | "pinned" | "widths">,
  minWidths: Readonly<Record<string, number>> = {},
): Column[] {
  const shown = shownColumns(fields, preferences.columns, preferences.pinned);
  const pinned = new Set(pinnedColumns(shown, preferences.pinned));
  const table = constructTable<typeof features, AuditEvent>({
    features,
    data: [],
    columns: fields.map((field) => ({
      id: idOf(field.name),
      accessorFn: () => null,
      size: Math.max(
        ownValue(WIDTH_BY_NAME, field.name) ?? WIDTH_BY_TYPE[field.displayType],
        Math.ceil(ownValue(minWidths, field.name) ?? minWidths[field.displayType] ?? 0),
      ),
      minSize: MIN_WIDTH,
      maxSize: MAX_WIDTH,
    })),
    initialState: {
      columnOrder: shown.map(idOf),
      columnVisibility: Object.fromEntries(fields.map((field) => [idOf(field.name), shown.includes(field.name)])),
      columnSizing: Object.fromEntries(Object.entries(preferences.widths).map(([name, width]) => [idOf(name), width])),
    },
  });
  const named = new Map(fields.map((field) => [idOf(field.name), field]));
  const columns = table.getVisibleLeafColumns().map((column) => ({
    field: named.get(column.id) as ShownField,
    width: column.getSize(),
    grow: 0,
    pinned: pinned.has((named.get(column.id) as ShownField).name),
  }));
  for (const column of growingColumns(columns, preferences.widths)) column.grow = ownValue(GROW_SHARES, column.field.name) ?? 1;
  return columns;
}

/** Returns the fields, and the columns that are not fields: the sentence, and each metadata key that the user has chosen. */
export function columnFields(fields: readonly ShownField[], preferred: readonly string[] | null, sentence: string): ShownField[] {
  const keys = (preferred ?? []).filter((name) => name.startsWith(METADATA));
  const exported = fields.some(({ name, custom, downloadable }) => name === "metadata" && !custom && downloadable);
  const extra = keys.map((name) => ({
    ...column(name, name.slice(METADATA.length)),
    downloadable: exported && !name.includes(","), // a request separates columns with commas
  }));
  return [...fields, { ...column(SENTENCE, sentence), downloadable: true, parameter: "sentence" }, ...extra];
}

/** Whether a column is not one of the structure's fields: the sentence, or a metadata key. */
export function isExtraColumn(name: string): boolean {
  return name === SENTENCE || name.startsWith(METADATA);
}

/** Returns the name of the column for a metadata key. */
export function metadataColumn(key: string): string {
  return `${METADATA}${key}`;
}

function column(name: string, displayName: string): ShownField {
  return {
    name,
    displayName,
    displayType: "AlphaNumeric",
    sortable: false,
    filterable: false,
    showInTable: false,
    showInMoreInfo: false,
    downloadable: false,
    order: Infinity,
    custom: false,
    parameter: name,
    origin: "default",
  };
}

/** Prefixes ids, because the library keeps columns in plain objects, where a name could equal an inherited member. */
function idOf(name: string): string {
  return `:${name}`;
}

/**
 * Returns the text columns with the largest shares, followed by the widest, except those whose width was chosen. If
 * there are none, returns the last column.
 */
function growingColumns(columns: readonly Column[], chosenWidths: Preferences["widths"]): Column[] {
  const free = columns.filter((column) => !Object.hasOwn(chosenWidths, column.field.name));
  const texts = free.filter((column) => TEXTS.has(column.field.displayType));
  const share = (column: Column): number => ownValue(GROW_SHARES, column.field.name) ?? 1;
  const found = texts.sort((left, right) => share(right) - share(left) || right.width - left.width).slice(0, GROWING_COLUMNS);
  return found.length ? found : [free.at(-1) ?? columns.at(-1)].filter((column) => column !== undefined);
}

/** Returns the names of the shown columns, in order, with the pinned ones first. */
export function shownColumns(fields: readonly ShownField[], preferred: readonly string[] | null, pinned: readonly string[]): string[] {
  const known = preferred?.filter((name) => fields.some((field) => field.name === name)) ?? [];
  const names = known.length ? known : fields.filter((field) => field.showInTable).map((field) => field.name);
  const first = pinnedColumns(names, pinned);
  return first.length ? [...first, ...names.filter((name) => !first.includes(name))] : names;
}

function pinnedColumns(names: readonly string[], pinned: readonly string[]): string[] {
  return names.filter((name) => pinned.includes(name)).slice(0, MAX_PINNED);
}

/** Pins a column after the pinned ones, or unpins it to the first position after them. `names` are the shown columns. */
export function togglePinned(names: readonly string[], pinned: readonly string[], name: string): Pick<Preferences, "columns" | "pinned"> {
  const shown = pinnedColumns(names, pinned);
  const first = shown.filter((other) => other !== name);
  const rest = names.filter((other) => other !== name && !first.includes(other));
  return { columns: [...first, name, ...rest], pinned: shown.includes(name) ? first : [...first, name] };
}

/** Returns by how many positions a column can move. Pinned columns and other columns move only among their own kind. */
export function movesOf(names: readonly string[], pinned: readonly string[], name: string): { earlier: number; later: number } {
  const first = pinnedColumns(names, pinned).length;
  const index = names.indexOf(name);
  const [start, end] = index < first ? [0, first] : [first, names.length];
  return { earlier: index - start, later: end - 1 - index };
}

/** Returns the names with one moved by `by` positions. */
export function moveColumn(names: readonly string[], name: string, by: number): string[] {
  const from = names.indexOf(name);
  const to = Math.max(0, Math.min(names.length - 1, from + by));
  if (from < 0 || from === to) return [...names];
  const left = names.filter((shown) => shown !== name);
  left.splice(to, 0, name);
  return left;
}

/** Adds a name at its position in the tenant's order, or removes it unless it is the only one. */
export function toggleColumn(fields: readonly ShownField[], names: readonly string[], name: string): string[] {
  if (names.includes(name)) return names.length > 1 ? names.filter((shown) => shown !== name) : [...names];
  const order = fields.map((field) => field.name);
  const index = names.findIndex((shown) => order.indexOf(shown) > order.indexOf(name));
  return index < 0 ? [...names, name] : [...names.slice(0, index), name, ...names.slice(index)];
}

/** Returns the value of `grid-template-columns`. */
export function gridTracks(columns: readonly Column[]): string {
  return columns.map((column) => (column.grow ? `minmax(${column.width}px, ${column.grow}fr)` : `${column.width}px`)).join(" ");
}

/** Returns the inline positions of the pinned columns. Pinned columns never cover more than a certain share of the table. */
export function pinnedInsets(columns: readonly Column[]): string[] {
  let offset = EDGE_PX;
  return columns.filter((column) => column.pinned).map(({ width }) => {
    const inset = `min(${offset}px, ${PINNED_SHARE}cqi - ${width}px)`;
    offset += width;
    return inset;
  });
}

/** Returns the width in px below which the table scrolls horizontally. */
export function totalWidth(columns: readonly Column[]): number {
  return columns.reduce((sum, column) => sum + column.width, 0);
}

/** The table's columns: the tenant's choice, over which one person's own lies. */
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
  /** Its share of what is left of the table's width; 0 of those that do not grow. */
  grow: number;
}

export const MIN_WIDTH = 64;
export const MAX_WIDTH = 1_200;

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
  action: 200,
  actor_name: 155,
  actor_type: 110,
  description: 320,
  outcome: 112,
  resource: 200,
  user_agent: 190,
};
/** What has long values of many kinds gets most of what is left. */
const GROW_SHARES: Record<string, number> = { description: 3, resource: 3 };
const GROWING_COLUMNS = 2; // columns at once: the others keep their width, and are found where they were
const TEXTS = new Set<DisplayType>(["AlphaNumeric", "Email", "Json"]);

const features = tableFeatures({
  coreReactivityFeature: storeReactivityBindings(),
  columnOrderingFeature,
  columnSizingFeature,
  columnVisibilityFeature,
});

/**
 * The columns to show, in their order; the tenant's when the person chose none that are still there. `needed` is what
 * some need at least, in px, by a field's name or else by its type.
 */
export function layoutColumns(
  fields: readonly ShownField[],
  preferences: Pick<Preferences, "columns" | "widths">,
  minWidths: Readonly<Record<string, number>> = {},
): Column[] {
  const shown = shownColumns(fields, preferences.columns);
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
  }));
  for (const column of growingColumns(columns, preferences.widths)) column.grow = ownValue(GROW_SHARES, column.field.name) ?? 1;
  return columns;
}

/** The library keeps columns by their ids in plain objects, where no name may be that of an inherited member. */
function idOf(name: string): string {
  return `:${name}`;
}

/** Those with the largest shares, then the widest, among texts whose width nobody chose; else the last of all. */
function growingColumns(columns: readonly Column[], chosenWidths: Preferences["widths"]): Column[] {
  const free = columns.filter((column) => !Object.hasOwn(chosenWidths, column.field.name));
  const texts = free.filter((column) => TEXTS.has(column.field.displayType));
  const share = (column: Column): number => ownValue(GROW_SHARES, column.field.name) ?? 1;
  const found = texts.sort((left, right) => share(right) - share(left) || right.width - left.width).slice(0, GROWING_COLUMNS);
  return found.length ? found : [free.at(-1) ?? columns.at(-1)].filter((column) => column !== undefined);
}

/** Names of the columns that are shown. */
export function shownColumns(fields: readonly ShownField[], preferred: readonly string[] | null): string[] {
  const known = preferred?.filter((name) => fields.some((field) => field.name === name)) ?? [];
  return known.length ? known : fields.filter((field) => field.showInTable).map((field) => field.name);
}

/** The names with this one `by` places further on. */
export function moveColumn(names: readonly string[], name: string, by: number): string[] {
  const from = names.indexOf(name);
  const to = Math.max(0, Math.min(names.length - 1, from + by));
  if (from < 0 || from === to) return [...names];
  const left = names.filter((shown) => shown !== name);
  left.splice(to, 0, name);
  return left;
}

/** The names with this one, at the place among them that the tenant's order gives it, or without it; never none. */
export function toggleColumn(fields: readonly ShownField[], names: readonly string[], name: string): string[] {
  if (names.includes(name)) return names.length > 1 ? names.filter((shown) => shown !== name) : [...names];
  const order = fields.map((field) => field.name);
  const place = names.findIndex((shown) => order.indexOf(shown) > order.indexOf(name));
  return place < 0 ? [...names, name] : [...names.slice(0, place), name, ...names.slice(place)];
}

/** What a grid of these columns has as `grid-template-columns`. */
export function gridTracks(columns: readonly Column[]): string {
  return columns.map((column) => (column.grow ? `minmax(${column.width}px, ${column.grow}fr)` : `${column.width}px`)).join(" ");
}

/** The width below which the table scrolls sideways, in px. */
export function totalWidth(columns: readonly Column[]): number {
  return columns.reduce((sum, column) => sum + column.width, 0);
}

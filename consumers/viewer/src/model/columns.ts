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
import type { Preferences } from "./preferences.js";

export interface Column {
  field: ShownField;
  /** In px. */
  width: number;
  /** Takes what is left of the table's width. */
  grows: boolean;
}

export const NARROWEST = 64;
export const WIDEST = 1_200;

const WIDTHS: Record<DisplayType, number> = {
  Timestamp: 195,
  Email: 200,
  AlphaNumeric: 140,
  IpAddress: 135,
  Severity: 108,
  Json: 260,
  Number: 120,
  Boolean: 96,
};
const NAMED: Record<string, number> = {
  action: 200,
  actor_name: 155,
  actor_type: 110,
  description: 320,
  outcome: 112,
  resource: 165,
  user_agent: 190,
};

const features = tableFeatures({
  coreReactivityFeature: storeReactivityBindings(),
  columnOrderingFeature,
  columnSizingFeature,
  columnVisibilityFeature,
});

/** The columns to show, in their order; the tenant's when the person chose none that are still there. */
export function columnsOf(fields: readonly ShownField[], preferences: Pick<Preferences, "columns" | "widths">): Column[] {
  const shown = chosen(fields, preferences.columns);
  const table = constructTable<typeof features, AuditEvent>({
    features,
    data: [],
    columns: fields.map((field) => ({
      id: field.name,
      accessorFn: () => null,
      size: NAMED[field.name] ?? WIDTHS[field.displayType],
      minSize: NARROWEST,
      maxSize: WIDEST,
    })),
    initialState: {
      columnOrder: shown,
      columnVisibility: Object.fromEntries(fields.map((field) => [field.name, shown.includes(field.name)])),
      columnSizing: preferences.widths,
    },
  });
  const named = new Map(fields.map((field) => [field.name, field]));
  const columns = table.getVisibleLeafColumns().map((column) => ({
    field: named.get(column.id) as ShownField,
    width: column.getSize(),
    grows: false,
  }));
  const free = columns.filter((one) => !(one.field.name in preferences.widths));
  const widest = free.reduce<Column | null>((most, one) => (one.width > (most?.width ?? 0) ? one : most), null);
  const grows = widest ?? columns.at(-1);
  if (grows) grows.grows = true;
  return columns;
}

/** Names of the columns that are shown. */
export function chosen(fields: readonly ShownField[], own: readonly string[] | null): string[] {
  const known = own?.filter((name) => fields.some((field) => field.name === name)) ?? [];
  return known.length ? known : fields.filter((field) => field.showInTable).map((field) => field.name);
}

/** The names with this one `by` places further on. */
export function moved(names: readonly string[], name: string, by: number): string[] {
  const from = names.indexOf(name);
  const to = Math.max(0, Math.min(names.length - 1, from + by));
  if (from < 0 || from === to) return [...names];
  const left = names.filter((one) => one !== name);
  left.splice(to, 0, name);
  return left;
}

/** The names with this one, at the place among them that the tenant's order gives it, or without it; never none. */
export function toggled(fields: readonly ShownField[], names: readonly string[], name: string): string[] {
  if (names.includes(name)) return names.length > 1 ? names.filter((one) => one !== name) : [...names];
  const order = fields.map((field) => field.name);
  const place = names.findIndex((one) => order.indexOf(one) > order.indexOf(name));
  return place < 0 ? [...names, name] : [...names.slice(0, place), name, ...names.slice(place)];
}

/** What a grid of these columns has as `grid-template-columns`. */
export function tracks(columns: readonly Column[]): string {
  return columns.map((one) => (one.grows ? `minmax(${one.width}px, 1fr)` : `${one.width}px`)).join(" ");
}

/** The width below which the table scrolls sideways, in px. */
export function widthOf(columns: readonly Column[]): number {
  return columns.reduce((sum, one) => sum + one.width, 0);
}

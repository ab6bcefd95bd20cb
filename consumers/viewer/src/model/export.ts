/** Chooses an export's columns, and whether it is downloaded directly or created in the background. */
import type { QueryParams } from "../api/client.js";
import type { ExportFormat, ShownField } from "../api/types.js";
import { isExtraColumn, SENTENCE } from "./columns.js";

/** The formats to choose from. Programs request the others, but their jobs are listed too. */
export const FORMATS = ["csv", "xlsx", "jsonl", "parquet", "pdf"] as const satisfies readonly ExportFormat[];

/** Up to this number of rows, the page itself loads the file, so that it can show progress and errors. */
export const MAX_DIRECT_ROWS = 50_000;
/** The service rejects larger PDFs. */
export const MAX_PDF_ROWS = 5_000;

export type ColumnChoice = "all" | "shown";

/**
 * Returns the downloadable fields: all of them in the tenant's order, or the shown ones in the user's order. A resource's
 * cell also shows its id, which is therefore the next column, unless it is shown elsewhere.
 */
export function exportedFields(fields: readonly ShownField[], shown: readonly string[], which: ColumnChoice): ShownField[] {
  const downloadable = fields.filter((field) => field.downloadable);
  if (which === "all") return downloadable.filter(({ name }) => !isExtraColumn(name));
  const known = new Map(downloadable.map((field) => [field.name, field]));
  const resource = fields.find(({ name, custom }) => name === "resource" && !custom);
  const names = shown.flatMap((name) => (resource && name === "resource" && !shown.includes("resource_id") ? [name, "resource_id"] : [name]));
  return names.flatMap((name) => known.get(name) ?? []);
}

/** A column in every file: whether another event has the same id and time. */
const CONFLICT = "conflict";

/**
 * Returns the file's headings: labels in formats for people, names in formats for programs. `conflict` is the last
 * column's label.
 */
export function headings(format: ExportFormat, columns: readonly ShownField[], conflict: string): string[] {
  const by = {
    csv: "displayName",
    xlsx: "displayName",
    pdf: "displayName",
    jsonl: "parameter",
    ocsf: "parameter",
    parquet: "name",
  } as const;
  const kind = by[format];
  return [...columns.map((field) => field[kind]), kind === "displayName" ? conflict : CONFLICT];
}

export const SEPARATORS = ["comma", "semicolon", "tab"] as const;

/** The form of a CSV file. */
export interface CsvForm {
  dialect: "spreadsheet" | "raw";
  separator: (typeof SEPARATORS)[number];
}

/** Returns the separator that spreadsheets expect in a language: a semicolon where the decimal sign is a comma. */
export function defaultSeparator(language: string): CsvForm["separator"] {
  return new Intl.NumberFormat(language).format(0.5).includes(",") ? "semicolon" : "comma";
}

/** Returns whether the times in the file are local times. */
export function hasLocalTimes(format: ExportFormat, csv: CsvForm): boolean {
  return format === "xlsx" || (format === "csv" && csv.dialect === "spreadsheet");
}

/** Returns the filter without a time range. */
export function searchOnly(filter: QueryParams): QueryParams {
  return filter.filter(([name]) => name !== "from" && name !== "to");
}

/**
 * Returns the parameter that makes the service record where the download ends; undefined with a time range, since such
 * a download is incomplete.
 */
export function sinceOption(filter: QueryParams, sinceLast: boolean): ExportOptions["since"] {
  if (sinceLast) return "last";
  return searchOnly(filter).length === filter.length ? "all" : undefined;
}

export interface ExportOptions {
  since?: "all" | "last" | undefined;
  dialect?: CsvForm["dialect"];
  separator?: CsvForm["separator"];
  zone?: string;
  titles?: string[];
  /** The language of the sentences. */
  language?: string;
}

/** Returns the options that apply to the format. Files for people have titles in the reader's language. */
export function exportOptions(format: ExportFormat, csv: CsvForm, zone: string, titles: string[]): ExportOptions {
  return {
    ...(format === "csv" ? csv : {}),
    ...(hasLocalTimes(format, csv) ? { zone } : {}),
    ...(hasLocalTimes(format, csv) || format === "pdf" ? { titles } : {}),
  };
}

export interface ExportRequest {
  format: ExportFormat;
  columns: readonly ShownField[];
  options: ExportOptions;
  filter: QueryParams;
}

/** Returns the parameters of `GET /v1/export`. */
export function exportParams({ format, columns, options, filter }: ExportRequest): QueryParams {
  const { titles, since, ...texts } = options;
  return [
    ["format", format],
    ["columns", columnNames(columns).join(",")],
    ...Object.entries(texts),
    ...(titles ? [["titles", JSON.stringify(titles)] as const] : []),
    ...(since ? [["since", since] as const] : []),
    ...filter,
  ];
}

/** Returns the body of `POST /v1/exports` and `POST /v1/export-links`. */
export function exportBody({ format, columns, options, filter }: ExportRequest): object {
  return { format, columns: columnNames(columns), ...options, filter: Object.fromEntries(filter) };
}

export type ExportMethod = "at once" | "job" | "too many" | "nothing";

/** Returns how to create a file with `rows` rows. `rows` is null until they have been counted. */
export function exportMethod(format: ExportFormat, rows: number | null): ExportMethod {
  if (rows === 0) return "nothing";
  if (format === "pdf" && rows !== null && rows > MAX_PDF_ROWS) return "too many";
  return rows !== null && rows > MAX_DIRECT_ROWS ? "job" : "at once";
}

/** Reads the file name from a Content-Disposition header. */
export function fileName(disposition: string | null, fallback: string): string {
  return /filename="([^"]+)"/.exec(disposition ?? "")?.[1] ?? fallback;
}

function columnNames(columns: readonly ShownField[]): string[] {
  return [...columns.map((field) => (field.custom || field.name === SENTENCE ? field.parameter : field.name)), CONFLICT];
}

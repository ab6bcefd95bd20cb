/** What an export holds, and which way it is had: at once, or made in the background. */
import type { QueryParams } from "../api/client.js";
import type { ExportFormat, ShownField } from "../api/types.js";

export const FORMATS = ["csv", "jsonl", "parquet", "pdf"] as const satisfies readonly ExportFormat[];

/** Rows up to which the file goes through the page's memory, which shows how far it is and what went wrong. */
export const MAX_DIRECT_ROWS = 50_000;
/** Rows that a PDF has at most; the service refuses more. */
export const MAX_PDF_ROWS = 5_000;

export type ColumnChoice = "all" | "shown";

/** The fields of the file: what may be downloaded, in the tenant's order, or of the columns shown what may be. */
export function exportedFields(fields: readonly ShownField[], shown: readonly string[], which: ColumnChoice): ShownField[] {
  const downloadable = fields.filter((field) => field.downloadable);
  if (which === "all") return downloadable;
  const known = new Map(downloadable.map((field) => [field.name, field]));
  return shown.flatMap((name) => known.get(name) ?? []);
}

/** In every file: whether another event claims the same id and time. */
const CONFLICT = { name: "conflict", title: "Conflict" };

/** What the file calls its columns: a format for people by what they call the fields, one for programs by their names. */
export function headings(format: ExportFormat, columns: readonly ShownField[]): string[] {
  const by = { csv: "displayName", pdf: "displayName", jsonl: "parameter", parquet: "name" } as const;
  const kind = by[format];
  return [...columns.map((field) => field[kind]), kind === "displayName" ? CONFLICT.title : CONFLICT.name];
}

export interface ExportRequest {
  format: ExportFormat;
  columns: readonly ShownField[];
  filter: QueryParams;
}

/** As parameters of `GET /v1/export`. */
export function exportParams({ format, columns, filter }: ExportRequest): QueryParams {
  return [["format", format], ["columns", columnNames(columns).join(",")], ...filter];
}

/** As the body of the two POSTs. */
export function exportBody({ format, columns, filter }: ExportRequest): object {
  return { format, columns: columnNames(columns), filter: Object.fromEntries(filter) };
}

export type ExportMethod = "at once" | "job" | "too many" | "nothing";

/** How a file of so many rows is best had; null: not counted yet. */
export function exportMethod(format: ExportFormat, rows: number | null): ExportMethod {
  if (rows === 0) return "nothing";
  if (format === "pdf" && rows !== null && rows > MAX_PDF_ROWS) return "too many";
  return rows !== null && rows > MAX_DIRECT_ROWS ? "job" : "at once";
}

/** A response's file name; the fallback when it says none. */
export function fileName(disposition: string | null, fallback: string): string {
  return /filename="([^"]+)"/.exec(disposition ?? "")?.[1] ?? fallback;
}

function columnNames(columns: readonly ShownField[]): string[] {
  return [...columns.map((field) => (field.custom ? field.parameter : field.name)), CONFLICT.name];
}

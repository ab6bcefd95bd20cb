/** What an export holds, and which way it is had: at once, or made in the background. */
import type { QueryParams } from "../api/client.js";
import type { ExportFormat, ShownField } from "../api/types.js";

export const FORMATS = ["csv", "jsonl", "parquet", "pdf"] as const satisfies readonly ExportFormat[];

/** Rows up to which the file goes through the page's memory, which shows how far it is and what went wrong. */
export const AT_ONCE = 50_000;
/** Rows that a PDF has at most; the service refuses more. */
export const PDF_MOST = 5_000;

export type Which = "all" | "shown";

/** The fields of the file: what may be downloaded, in the tenant's order, or of the columns shown what may be. */
export function exported(fields: readonly ShownField[], shown: readonly string[], which: Which): ShownField[] {
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

export interface Wanted {
  format: ExportFormat;
  columns: readonly ShownField[];
  filter: QueryParams;
}

/** As parameters of `GET /v1/export`. */
export function exportPairs({ format, columns, filter }: Wanted): QueryParams {
  return [["format", format], ["columns", names(columns).join(",")], ...filter];
}

/** As the body of the two POSTs. */
export function exportBody({ format, columns, filter }: Wanted): object {
  return { format, columns: names(columns), filter: Object.fromEntries(filter) };
}

export type Way = "at once" | "job" | "too many" | "nothing";

/** How a file of so many rows is best had; null: not counted yet. */
export function wayOf(format: ExportFormat, rows: number | null): Way {
  if (rows === 0) return "nothing";
  if (format === "pdf" && rows !== null && rows > PDF_MOST) return "too many";
  return rows !== null && rows > AT_ONCE ? "job" : "at once";
}

/** A response's file name; the fallback when it says none. */
export function fileName(disposition: string | null, fallback: string): string {
  return /filename="([^"]+)"/.exec(disposition ?? "")?.[1] ?? fallback;
}

function names(columns: readonly ShownField[]): string[] {
  return [...columns.map((field) => (field.custom ? field.parameter : field.name)), CONFLICT.name];
}

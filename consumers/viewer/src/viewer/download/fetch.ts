/** Downloads files, through the page or through a link. */
import type { Client } from "../../api/client.js";
import { exportBody, exportParams, type ExportRequest, fileName } from "../../model/export.js";

export interface Progress {
  bytes: number;
  /** The number of rows in the whole file, or null if unknown. */
  rows: number | null;
}

/**
 * Downloads through the memory of the page, and calls `progress` for every chunk. Rejects with Problem, also if the
 * body is truncated.
 */
export async function fetchFile(
  client: Client,
  request: ExportRequest,
  progress: (current: Progress) => void,
  signal: AbortSignal,
): Promise<Progress> {
  const response = await client.send("/v1/export", { params: exportParams(request), signal, headers: { Accept: "*/*" } });
  const rows = Number(response.headers.get("Auditlane-Rows") ?? NaN);
  const at: Progress = { bytes: 0, rows: Number.isFinite(rows) ? rows : null };
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  const reader = response.body!.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    chunks.push(read.value as Uint8Array<ArrayBuffer>);
    at.bytes += read.value.length;
    progress({ ...at });
  }
  const type = response.headers.get("Content-Type") ?? "application/octet-stream";
  const url = URL.createObjectURL(new Blob(chunks, { type }));
  saveUrl(url, fileName(response.headers.get("Content-Disposition"), `audit.${request.format}`));
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // some browsers do not read the URL until after the click
  return at;
}

/** Downloads through a link that is valid for one minute. The browser shows the progress. Rejects with Problem. */
export async function followLink(client: Client, request: ExportRequest): Promise<void> {
  const { url } = await client.json<{ url: string }>("/v1/export-links", { method: "POST", body: exportBody(request) });
  saveUrl(url);
}

/** Saves a URL. A URL on another origin is opened in a new tab, since an error there must not replace the host page. */
export function saveUrl(url: string, name = ""): void {
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  if (new URL(url, location.href).origin !== location.origin) {
    anchor.target = "_blank";
    anchor.rel = "noopener";
  }
  anchor.click();
}

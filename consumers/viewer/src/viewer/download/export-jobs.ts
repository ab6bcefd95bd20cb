/** The tenant's exports that are created in the background. Polls the list while one of them is running. */
import { Problem } from "../../api/problem.js";
import type { ExportJob } from "../../api/types.js";
import { exportBody, type ExportRequest } from "../../model/export.js";
import type { ViewerState } from "../viewer-state.js";

const POLL_MS = 1_000;
const RETRY_MS = 15_000; // after a failed request

/** Dispatches `change` when the list has changed. */
export class ExportJobs extends EventTarget {
  list: ExportJob[] | null = null;
  problem: Problem | null = null;
  /** The exports that have ended since the dialog was opened, in order. */
  readonly ended: ExportJob[] = [];

  private timer: ReturnType<typeof setTimeout> | undefined;
  private closed = false;

  constructor(private readonly viewer: ViewerState) {
    super();
  }

  get running(): ExportJob[] {
    return (this.list ?? []).filter(isRunning);
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  /** Loads the list, and polls it while an export is running. */
  async refresh(): Promise<void> {
    clearTimeout(this.timer);
    try {
      const before = new Set(this.running.map((job) => job.id));
      this.list = (await this.viewer.client.json<{ data: ExportJob[] }>("/v1/exports")).data;
      this.ended.push(...this.list.filter((job) => before.has(job.id) && !isRunning(job)));
      this.problem = null;
    } catch (cause) {
      this.problem = Problem.from(cause);
    }
    if (this.closed) return;
    clearTimeout(this.timer);
    if (this.running.length) this.timer = setTimeout(() => void this.refresh(), this.problem ? RETRY_MS : POLL_MS);
    this.dispatchEvent(new Event("change"));
  }

  /** Starts an export. Rejects with Problem. */
  async create(request: ExportRequest): Promise<ExportJob> {
    const job = await this.viewer.client.json<ExportJob>("/v1/exports", { method: "POST", body: exportBody(request) });
    this.list = [job, ...(this.list ?? [])];
    await this.refresh();
    return job;
  }

  /** Cancels a running export or deletes an ended one. Rejects with Problem. */
  async remove(job: ExportJob): Promise<void> {
    await this.viewer.client.json(`/v1/exports/${job.id}`, { method: "DELETE" });
    await this.refresh();
  }

  /** Resolves to a fresh link to the file. Rejects with Problem. */
  async link(job: ExportJob): Promise<string> {
    return (await this.viewer.client.json<ExportJob>(`/v1/exports/${job.id}`)).url ?? "";
  }
}

export function isRunning(job: ExportJob): boolean {
  return job.state === "queued" || job.state === "running";
}

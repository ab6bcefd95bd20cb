/** Following what arrives: one stream a log, for the table that shows it and the switch that says how it goes. */
import { Problem } from "../api/problem.js";
import type { AuditEvent } from "../api/types.js";
import { type Message, EventStreamParser } from "../model/event-stream.js";
import type { ViewerState } from "./viewer-state.js";
import { CountRefresh } from "./count-refresh.js";

export type Status = "off" | "connecting" | "following" | "waiting" | "failed";

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
const SILENCE_MS = 45_000; // the service says something every 15 seconds
const FATAL_CODES = new Set(["FILTER_INVALID", "FORBIDDEN", "NOT_FOUND", "AUDIT_LOGS_DISABLED"]);

const streams = new WeakMap<ViewerState, LiveStream>();

/** The stream of this log; it runs while `view.live` is on. */
export function liveStreamOf(viewer: ViewerState): LiveStream {
  let found = streams.get(viewer);
  if (!found) streams.set(viewer, (found = new LiveStream(viewer)));
  return found;
}

/**
 * Events: `status`; `connected` when it follows from now on: what came before has to be read separately; `arrived`, a
 * CustomEvent with the events as detail, in the order in which they were stored.
 */
export class LiveStream extends EventTarget {
  status: Status = "off";
  private key = "";
  private running: AbortController | null = null;
  private subscribers = 0;
  private readonly countRefresh: CountRefresh;

  constructor(private readonly viewer: ViewerState) {
    super();
    this.countRefresh = new CountRefresh(() => viewer.recount());
    this.addEventListener("arrived", () => this.countRefresh.schedule());
  }

  /** Somebody shows it; the returned function ends that. */
  subscribe(): () => void {
    if (this.subscribers++ === 0) this.viewer.addEventListener("change", this.update);
    this.update();
    return () => {
      if (--this.subscribers > 0) return;
      this.viewer.removeEventListener("change", this.update);
      this.countRefresh.close();
      this.close();
    };
  }

  private readonly update = (): void => {
    const { live, query, range } = this.viewer.view;
    const about = live && this.viewer.phase === "ready" ? JSON.stringify([query.trim(), range, this.viewer.authProblem === null]) : "";
    if (about === this.key) return;
    this.close();
    this.key = about;
    if (about && !this.viewer.authProblem) void this.run((this.running = new AbortController()));
  };

  private close(): void {
    this.running?.abort();
    this.running = null;
    this.key = "";
    this.setStatus("off");
  }

  /** Connects, again and again: the last id leads on where it was, so that nothing is lost or told twice. */
  private async run(stop: AbortController): Promise<void> {
    const pairs = this.viewer.filter();
    let [last, wait, least] = ["", FIRST_WAIT_MS, 0];
    this.setStatus("connecting");
    while (!stop.signal.aborted) {
      try {
        await this.connect([...pairs, ...(last ? [["cursor", last] as const] : [])], stop.signal, (message) => {
          if (message.id !== null) {
            if (!last) this.dispatchEvent(new Event("connected"));
            last = message.id;
            wait = FIRST_WAIT_MS;
          }
        }, (ms) => (least = Math.min(ms, LONGEST_WAIT_MS)));
      } catch (cause) {
        const problem = Problem.from(cause);
        if (stop.signal.aborted) return;
        if (FATAL_CODES.has(problem.code)) return this.setStatus("failed");
        if (problem.code === "CURSOR_INVALID") last = "";
        if (problem.retryAfter) wait = Math.max(wait, problem.retryAfter * 1000);
      }
      if (stop.signal.aborted) return;
      this.setStatus("waiting");
      await pause(Math.max(least / 2, wait * (0.75 + Math.random() / 2)), stop.signal);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  }

  /** One connection, until it ends by itself. */
  private async connect(
    params: readonly (readonly [string, string])[],
    given: AbortSignal,
    heard: (message: Message) => void,
    retry: (ms: number) => void,
  ): Promise<void> {
    const silent = new AbortController();
    const signal = AbortSignal.any([given, silent.signal]);
    const answer = await this.viewer.client.send("/v1/events/stream", { params, signal, headers: { Accept: "text/event-stream" } });
    let events: AuditEvent[] = [];
    const messages = new EventStreamParser((message) => {
      heard(message);
      if (message.event === "event") events.push(JSON.parse(message.data) as AuditEvent);
    }, retry);
    const text = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    let timer = 0;
    try {
      this.setStatus("following");
      for (;;) {
        timer = window.setTimeout(() => silent.abort(), SILENCE_MS);
        const piece = await text?.read();
        clearTimeout(timer);
        if (!piece || piece.done) return;
        messages.feed(piece.value);
        if (events.length && !given.aborted) this.dispatchEvent(new CustomEvent("arrived", { detail: events }));
        events = [];
      }
    } finally {
      clearTimeout(timer);
      silent.abort(); // a connection that is done with is closed
    }
  }

  private setStatus(status: Status): void {
    if (this.status === status) return;
    this.status = status;
    this.dispatchEvent(new Event("status"));
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

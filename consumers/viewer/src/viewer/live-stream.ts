/** The stream of arriving events, one per viewer, shared by the table and the live switch. */
import type { Client, QueryParams } from "../api/client.js";
import { Problem } from "../api/problem.js";
import type { AuditEvent } from "../api/types.js";
import { EventStreamParser, type Message } from "../model/event-stream.js";
import type { View } from "../model/view.js";
import { CountRefresh } from "./count-refresh.js";

export type Status = "off" | "connecting" | "following" | "waiting" | "failed";

/** The part of the viewer's state that the stream needs. Dispatches `change`. */
export interface LiveStreamHost extends EventTarget {
  readonly client: Client;
  readonly view: View;
  readonly phase: "loading" | "ready" | "failed";
  readonly authProblem: Problem | null;
  readonly accessParams: QueryParams;
  filter(): QueryParams;
  /** Requests the numbers and the chart again. */
  recount(): void;
}

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
const SILENCE_MS = 45_000; // the service sends something every 15 seconds
const FATAL_CODES = new Set(["FILTER_INVALID", "FORBIDDEN", "NOT_FOUND", "AUDIT_LOGS_DISABLED"]);

/**
 * Runs while `view.live` is on and there are subscribers.
 *
 * Dispatches `status`. Dispatches `connected` when a new stream begins, so that earlier events have to be read
 * separately. Dispatches `arrived`, a CustomEvent whose detail is the events in the order in which they were stored.
 */
export class LiveStream extends EventTarget {
  status: Status = "off";
  private key = "";
  private running: AbortController | null = null;
  private subscribers = 0;
  private readonly countRefresh: CountRefresh;

  constructor(private readonly host: LiveStreamHost) {
    super();
    this.countRefresh = new CountRefresh(() => host.recount());
    this.addEventListener("arrived", () => this.countRefresh.schedule());
  }

  /** Starts the stream for the first subscriber. The returned function unsubscribes. */
  subscribe(): () => void {
    if (this.subscribers++ === 0) this.host.addEventListener("change", this.update);
    this.update();
    return () => {
      if (--this.subscribers > 0) return;
      this.host.removeEventListener("change", this.update);
      this.countRefresh.close();
      this.close();
    };
  }

  private readonly update = (): void => {
    const { view, phase, authProblem } = this.host;
    const active = view.live && phase === "ready";
    const key = active ? JSON.stringify([view.query.trim(), view.range, this.host.accessParams, authProblem === null]) : "";
    if (key === this.key) return;
    this.close();
    this.key = key;
    if (!key || authProblem) return;
    this.running = new AbortController();
    void this.run(this.running.signal);
  };

  private close(): void {
    this.running?.abort();
    this.running = null;
    this.key = "";
    this.setStatus("off");
  }

  /** Reconnects until aborted. Each connection resumes after the last id, so that no event is lost or repeated. */
  private async run(signal: AbortSignal): Promise<void> {
    const params = this.host.filter();
    let cursor = "";
    let wait = FIRST_WAIT_MS;
    let leastWait = 0;
    const onMessage = ({ id }: Message): void => {
      if (id === null) return;
      if (!cursor) this.dispatchEvent(new Event("connected"));
      cursor = id;
      wait = FIRST_WAIT_MS;
    };
    const onRetry = (ms: number): void => {
      leastWait = Math.min(ms, LONGEST_WAIT_MS);
    };
    this.setStatus("connecting");
    while (!signal.aborted) {
      try {
        const resume = cursor ? ([["cursor", cursor]] as const) : [];
        await this.connect([...params, ...resume], signal, onMessage, onRetry);
      } catch (cause) {
        const problem = Problem.from(cause);
        if (signal.aborted) return;
        if (FATAL_CODES.has(problem.code)) return this.setStatus("failed");
        if (problem.code === "CURSOR_INVALID") cursor = "";
        if (problem.retryAfter) wait = Math.max(wait, problem.retryAfter * 1000);
      }
      if (signal.aborted) return;
      this.setStatus("waiting");
      await pause(Math.max(leastWait / 2, wait * (0.75 + Math.random() / 2)), signal);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  }

  /** Reads from one connection until it ends or has been silent for `SILENCE_MS`. */
  private async connect(
    params: QueryParams,
    outer: AbortSignal,
    onMessage: (message: Message) => void,
    onRetry: (ms: number) => void,
  ): Promise<void> {
    const silence = new AbortController();
    const signal = AbortSignal.any([outer, silence.signal]);
    const headers = { Accept: "text/event-stream" };
    const response = await this.host.client.send("/v1/events/stream", { params, signal, headers });
    let events: AuditEvent[] = [];
    const parser = new EventStreamParser((message) => {
      onMessage(message);
      if (message.event === "event") events.push(JSON.parse(message.data) as AuditEvent);
    }, onRetry);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let timer = 0;
    try {
      this.setStatus("following");
      for (;;) {
        timer = window.setTimeout(() => silence.abort(), SILENCE_MS);
        const chunk = await reader?.read();
        clearTimeout(timer);
        if (!chunk || chunk.done) return;
        parser.feed(chunk.value);
        if (events.length && !outer.aborted) this.dispatchEvent(new CustomEvent("arrived", { detail: events }));
        events = [];
      }
    } finally {
      clearTimeout(timer);
      silence.abort(); // closes the connection
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

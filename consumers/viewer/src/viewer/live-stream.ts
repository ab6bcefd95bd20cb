/** Following what arrives: one stream a log, for the table that shows it and the switch that says how it goes. */
import { Problem } from "../api/problem.js";
import type { AuditEvent } from "../api/types.js";
import { type Message, Messages } from "../model/event-stream.js";
import type { Log } from "./viewer-state.js";
import { Recount } from "./count-refresh.js";

export type Status = "off" | "connecting" | "following" | "waiting" | "failed";

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
const SILENCE_MS = 45_000; // the service says something every 15 seconds
const HOPELESS = new Set(["FILTER_INVALID", "FORBIDDEN", "NOT_FOUND", "AUDIT_LOGS_DISABLED"]);

const tails = new WeakMap<Log, Tail>();

/** The stream of this log; it runs while `view.live` is on. */
export function tailOf(log: Log): Tail {
  let found = tails.get(log);
  if (!found) tails.set(log, (found = new Tail(log)));
  return found;
}

/**
 * Events: `status`; `level` when it follows from now on and what was before is to be read otherwise; `arrived`, a
 * CustomEvent with the events as detail, in the order in which they were stored.
 */
export class Tail extends EventTarget {
  status: Status = "off";
  private about = "";
  private stop: AbortController | null = null;
  private users = 0;
  private readonly recount: Recount;

  constructor(private readonly log: Log) {
    super();
    this.recount = new Recount(() => log.recount());
    this.addEventListener("arrived", () => this.recount.arrived());
  }

  /** Somebody shows it; the returned function ends that. */
  use(): () => void {
    if (this.users++ === 0) this.log.addEventListener("change", this.look);
    this.look();
    return () => {
      if (--this.users > 0) return;
      this.log.removeEventListener("change", this.look);
      this.recount.close();
      this.end();
    };
  }

  private readonly look = (): void => {
    const { live, query, range } = this.log.view;
    const about = live && this.log.phase === "ready" ? JSON.stringify([query.trim(), range, this.log.ended === null]) : "";
    if (about === this.about) return;
    this.end();
    this.about = about;
    if (about && !this.log.ended) void this.follow((this.stop = new AbortController()));
  };

  private end(): void {
    this.stop?.abort();
    this.stop = null;
    this.about = "";
    this.tell("off");
  }

  /** Connects, again and again: the last id leads on where it was, so that nothing is lost or told twice. */
  private async follow(stop: AbortController): Promise<void> {
    const pairs = this.log.filter();
    let [last, wait, least] = ["", FIRST_WAIT_MS, 0];
    this.tell("connecting");
    while (!stop.signal.aborted) {
      try {
        await this.once([...pairs, ...(last ? [["cursor", last] as const] : [])], stop.signal, (message) => {
          if (message.id !== null) {
            if (!last) this.dispatchEvent(new Event("level"));
            last = message.id;
            wait = FIRST_WAIT_MS;
          }
        }, (ms) => (least = Math.min(ms, LONGEST_WAIT_MS)));
      } catch (cause) {
        const problem = Problem.of(cause);
        if (stop.signal.aborted) return;
        if (HOPELESS.has(problem.code)) return this.tell("failed");
        if (problem.code === "CURSOR_INVALID") last = "";
        if (problem.retryAfter) wait = Math.max(wait, problem.retryAfter * 1000);
      }
      if (stop.signal.aborted) return;
      this.tell("waiting");
      await pause(Math.max(least / 2, wait * (0.75 + Math.random() / 2)), stop.signal);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  }

  /** One connection, until it ends by itself. */
  private async once(
    pairs: readonly (readonly [string, string])[],
    given: AbortSignal,
    heard: (message: Message) => void,
    retry: (ms: number) => void,
  ): Promise<void> {
    const silent = new AbortController();
    const signal = AbortSignal.any([given, silent.signal]);
    const answer = await this.log.client.answer("/v1/events/stream", { pairs, signal, headers: { Accept: "text/event-stream" } });
    let events: AuditEvent[] = [];
    const messages = new Messages((message) => {
      heard(message);
      if (message.event === "event") events.push(JSON.parse(message.data) as AuditEvent);
    }, retry);
    const text = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    let timer = 0;
    try {
      this.tell("following");
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

  private tell(status: Status): void {
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

/** Converts a histogram's buckets to bars, marks partial ones, and selects ranges of them. */
import type { Bucket, Histogram } from "../api/types.js";

export interface Bar extends Bucket {
  /** Ms since 1970. */
  readonly from: number;
  readonly to: number;
  /** Set if only part of the bar was counted: the range starts or ends within it, or its time is not over yet. */
  readonly partial: "begins" | "ends" | "";
}

const DAY_MS = 86_400_000;

/** Returns the number of bars to request. For more than a week and at most `most` days, each bar is a day. `since` and `until` are as in `barsOf`. */
export function barCount(since: number | null, until: number | null, most: number): number {
  const days = since === null || until === null ? 0 : (until - since) / DAY_MS;
  return days > 7.5 && days <= most ? Math.ceil(days) : most;
}

/** Converts buckets to bars. `since` and `until` are the range's ends in ms, or null if open. */
export function barsOf(histogram: Histogram, since: number | null, until: number | null, now: number): Bar[] {
  return histogram.data.map((bucket) => {
    const from = Date.parse(bucket.start);
    const to = Date.parse(bucket.end);
    const cut = since !== null && since > from && since < to;
    const end = Math.min(until ?? Infinity, now);
    const unfinished = end > from && end < to;
    return { ...bucket, from, to, partial: unfinished ? "ends" : cut ? "begins" : "" };
  });
}

/** Returns the index of the bar at a moment (ms), or of the nearest bar. */
export function barAt(bars: readonly Bar[], moment: number): number {
  const found = bars.findIndex((bar) => moment < bar.to);
  return found < 0 ? bars.length - 1 : found;
}

/** Returns the index of the same bar after a recount, or null if it no longer exists. */
export function indexAfterRecount(before: readonly Bar[], after: readonly Bar[], index: number | null): number | null {
  const bar = index === null ? undefined : before[index];
  const found = bar ? after.findIndex(({ start }) => start === bar.start) : -1;
  return found < 0 ? null : found;
}

/** Whether two sets of bars are drawn at the same positions. */
export function isSameAxis(before: readonly Bar[], after: readonly Bar[]): boolean {
  return before.length === after.length && String(axisRange(before)) === String(axisRange(after));
}

/** An axis's tick distances in seconds. */
const TICK_STEPS = [
  ...[1, 5, 10, 15, 30],
  ...[1, 5, 10, 15, 30].map((minutes) => minutes * 60),
  ...[1, 2, 3, 4, 6, 8, 12].map((hours) => hours * 3_600),
  ...[1, 2, 3, 4, 5, 6, 7, 10, 15, 30, 60, 90, 120, 180].map((days) => days * 86_400),
  ...[1, 2, 5, 10, 25, 50, 100].map((years) => years * 365 * 86_400),
];

/** Returns the allowed intervals between ticks in seconds; none is shorter than a bar. */
export function tickSteps(bars: readonly Bar[]): number[] {
  const first = bars[0];
  const width = first ? (first.to - first.from) / 1_000 : 0;
  const found = TICK_STEPS.filter((step) => step >= 0.9 * width); // months vary in length
  return found.length ? found : TICK_STEPS.slice(-1);
}

/** Returns the axis's range in ms: the bars' range, with a margin if there are too few bars for a tick. */
export function axisRange(bars: readonly Bar[]): [number, number] {
  const first = bars[0];
  const last = bars.at(-1);
  if (!first || !last) return [0, 1_000];
  const around = bars.length < 3 ? first.to - first.from : 0;
  return [first.from - around, last.to + around];
}

/** Returns the time range and event count of the bars between two indices, in either order, or null if one is out of range. */
export function selectionOf(bars: readonly Bar[], start: number, end: number): { from: string; to: string; events: number } | null {
  const first = bars[Math.min(start, end)];
  const last = bars[Math.max(start, end)];
  if (!first || !last) return null;
  const events = bars.slice(Math.min(start, end), Math.max(start, end) + 1).reduce((sum, bar) => sum + bar.events, 0);
  return { from: first.start, to: last.end, events };
}

/** Returns the highest bar, or null if there are none. */
export function highest(bars: readonly Bar[]): Bar | null {
  return bars.reduce<Bar | null>((most, bar) => (!most || bar.events > most.events ? bar : most), null);
}

/** Parses an ISO 8601 duration from the service (`PT30M`, `P1D`, `P3M`). */
export function parseInterval(interval: string): { count: number; unit: "S" | "M" | "H" | "D" | "W" | "months" | "Y" } {
  const found = /^P(T?)(\d+)([SMHDWY])$/.exec(interval);
  const unit = (found?.[3] ?? "S") as "S" | "M" | "H" | "D" | "W" | "Y";
  return { count: Number(found?.[2] ?? 1), unit: unit === "M" && !found?.[1] ? "months" : unit };
}

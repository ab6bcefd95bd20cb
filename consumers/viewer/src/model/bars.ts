/** A histogram's buckets as bars: which of them are counted only in part, and what of them is chosen. */
import type { Bucket, Histogram } from "../api/types.js";

export interface Bar extends Bucket {
  /** Ms since 1970. */
  readonly from: number;
  readonly to: number;
  /** What is looked at begins within it, or ends there, or it is not over: there may be more than was counted. */
  readonly partial: "begins" | "ends" | "";
}

/** `since` and `until` in ms: the ends of what is looked at; null where they are open. */
export function barsOf(histogram: Histogram, since: number | null, until: number | null, now: number): Bar[] {
  return histogram.data.map((bucket) => {
    const [from, to] = [Date.parse(bucket.start), Date.parse(bucket.end)];
    const cut = since !== null && since > from && since < to;
    const end = Math.min(until ?? Infinity, now);
    const unfinished = end > from && end < to;
    return { ...bucket, from, to, partial: unfinished ? "ends" : cut ? "begins" : "" };
  });
}

/** The bar that holds a moment, in ms; the nearest one when none does. */
export function barAt(bars: readonly Bar[], moment: number): number {
  const found = bars.findIndex((bar) => moment < bar.to);
  return found < 0 ? bars.length - 1 : found;
}

/** Bars from one to another, whichever comes first. */
export function chosen(bars: readonly Bar[], one: number, other: number): { from: string; to: string; events: number } | null {
  const [first, last] = [bars[Math.min(one, other)], bars[Math.max(one, other)]];
  if (!first || !last) return null;
  const events = bars.slice(Math.min(one, other), Math.max(one, other) + 1).reduce((sum, bar) => sum + bar.events, 0);
  return { from: first.start, to: last.end, events };
}

/** The highest of them; null of none. */
export function highest(bars: readonly Bar[]): Bar | null {
  return bars.reduce<Bar | null>((most, bar) => (!most || bar.events > most.events ? bar : most), null);
}

/** An ISO 8601 duration of the service (`PT30M`, `P1D`, `P3M`) as a number of units. */
export function widthOf(interval: string): { count: number; unit: "S" | "M" | "H" | "D" | "W" | "months" | "Y" } {
  const found = /^P(T?)(\d+)([SMHDWY])$/.exec(interval);
  const unit = (found?.[3] ?? "S") as "S" | "M" | "H" | "D" | "W" | "Y";
  return { count: Number(found?.[2] ?? 1), unit: unit === "M" && !found?.[1] ? "months" : unit };
}

/** A time range: all time, a preset that moves with the clock, or two fixed ends. */
import type { QueryParams } from "../api/client.js";
import { addDays, instantOf, localTimeOf } from "./zone.js";

export const PRESETS = ["1h", "24h", "7d", "30d", "90d", "1y"] as const;
export type Preset = (typeof PRESETS)[number];

/** `from` and `to` are RFC 3339, or "" for an open end. `to` is exclusive. */
export type Range =
  | { readonly kind: "ever" }
  | { readonly kind: "preset"; readonly preset: Preset }
  | { readonly kind: "custom"; readonly from: string; readonly to: string };

export const ALL_TIME: Range = { kind: "ever" };

/** The format that the service uses: a date, or a date and time, in UTC without an offset. */
const TIME = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?:[Tt ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d\d:\d\d)?)?$/;
const HOUR_MS = 3_600_000;
const LENGTH_MS: Record<Preset, number> = {
  "1h": HOUR_MS,
  "24h": 24 * HOUR_MS,
  "7d": 7 * 24 * HOUR_MS,
  "30d": 30 * 24 * HOUR_MS,
  "90d": 90 * 24 * HOUR_MS,
  "1y": 365 * 24 * HOUR_MS,
};

/** Reads the range from the query parameters of a URL. */
export function parseRange(given: URLSearchParams): Range {
  const preset = given.get("range");
  if (preset && (PRESETS as readonly string[]).includes(preset)) return { kind: "preset", preset: preset as Preset };
  if (invalidRangeIn(given)) return ALL_TIME;
  const from = given.get("from") ?? "";
  const to = given.get("to") ?? "";
  return from || to ? { kind: "custom", from, to } : ALL_TIME;
}

/** Returns the invalid time parameters of a URL as they are written there, or "" if all are valid. */
export function invalidRangeIn(given: URLSearchParams): string {
  const [range, from, to] = ["range", "from", "to"].map((name) => given.get(name) ?? "") as [string, string, string];
  const known = (PRESETS as readonly string[]).includes(range);
  const candidates: [string, boolean][] = [
    [`range=${range}`, range !== "" && !known],
    [`from=${from}`, !known && from !== "" && !TIME.test(from)],
    [`to=${to}`, !known && to !== "" && !TIME.test(to)],
  ];
  const invalid = candidates.filter(([, isInvalid]) => isInvalid).map(([parameter]) => parameter);
  const emptyRange = !invalid.length && !known && from !== "" && to !== "" && Date.parse(from) >= Date.parse(to);
  return emptyRange ? `from=${from}, to=${to}` : invalid.join(", ");
}

/** Returns the range as query parameters for a URL. */
export function addressParams(range: Range): QueryParams {
  if (range.kind === "preset") return [["range", range.preset]];
  return customEnds(range);
}

/** Returns the service's parameters `from` and `to`. `now` is in ms. A preset is open at the end, so that arriving events match. */
export function rangeParams(range: Range, now: number): QueryParams {
  if (range.kind === "preset") return [["from", new Date(now - LENGTH_MS[range.preset]).toISOString()]];
  return customEnds(range);
}

/** Returns `rangeParams` with the end of a preset closed at `now`, for a chart whose axis ends there. */
export function closedRangeParams(range: Range, now: number): QueryParams {
  const pairs = rangeParams(range, now);
  return range.kind === "preset" ? [...pairs, ["to", new Date(now).toISOString()]] : pairs;
}

/** The inputs of the form: days as YYYY-MM-DD, and times as HH:MM[:SS] in a zone. An end without a time includes the whole day. */
export interface RangeInput {
  readonly fromDay: string;
  readonly fromTime: string;
  readonly toDay: string;
  readonly toTime: string;
}

/** Why the inputs are not a range: the end is before the beginning, both are equal, or both are missing. */
export type RangeInputError = "backwards" | "same" | "empty";

/** Converts the inputs of the form to a range, or returns the error. If a day is empty, that end is open. */
export function rangeFromInput({ fromDay, fromTime, toDay, toTime }: RangeInput, zone: string): Range | RangeInputError {
  if (!fromDay && !toDay) return "empty";
  const from = fromDay ? instantOf(fromDay, fromTime, zone) : null;
  let to: number | null = null;
  if (toDay) to = toTime ? instantOf(toDay, toTime, zone) : instantOf(addDays(toDay), "", zone);
  if (Number.isNaN(from) || Number.isNaN(to)) return "empty";
  if (from !== null && to !== null && from >= to) return from === to && toTime ? "same" : "backwards";
  return { kind: "custom", from: isoTime(from), to: isoTime(to) };
}

/** Returns the range for a day (YYYY-MM-DD) in a zone. */
export function dayRange(day: string, zone: string): Range {
  return { kind: "custom", from: isoTime(instantOf(day, "", zone)), to: isoTime(instantOf(addDays(day), "", zone)) };
}

/** Converts a range to the inputs of the form. A preset becomes the days that it covers. `now` is in ms. */
export function inputFromRange(range: Range, zone: string, now: number): RangeInput {
  const [from, to] = endsOf(range, now);
  const begin = from === null ? { day: "", time: "" } : localTimeOf(from, zone);
  const end = to === null ? { day: "", time: "" } : localTimeOf(to, zone);
  const wholeDay = range.kind !== "custom" || end.time === "00:00:00";
  const lastDay = range.kind === "custom" && wholeDay && end.day ? addDays(end.day, -1) : end.day;
  return {
    fromDay: begin.day,
    fromTime: range.kind === "custom" ? shortTime(begin.time) : "",
    toDay: lastDay,
    toTime: wholeDay ? "" : shortTime(end.time, true),
  };
}

/** Returns the ends of the range in ms, or null for an open end. A preset ends now. */
export function endsOf(range: Range, now: number): [number | null, number | null] {
  if (range.kind === "ever") return [null, null];
  if (range.kind === "preset") return [now - LENGTH_MS[range.preset], now];
  return [range.from ? Date.parse(range.from) : null, range.to ? Date.parse(range.to) : null];
}

/** Returns the first and last day that a range covers completely, or null if it begins or ends within a day. */
export function wholeDaysOf(range: Range, zone: string): [string, string] | null {
  if (range.kind !== "custom" || !range.from || !range.to) return null;
  const from = localTimeOf(Date.parse(range.from), zone);
  const to = localTimeOf(Date.parse(range.to), zone);
  const whole = [range.from, range.to].every((end, index) => {
    const { day } = index ? to : from;
    return Date.parse(end) === instantOf(day, "", zone);
  });
  return whole ? [from.day, addDays(to.day, -1)] : null;
}

function shortTime(time: string, always = false): string {
  if (!always && time === "00:00:00") return "";
  return time.endsWith(":00") ? time.slice(0, 5) : time;
}

function isoTime(moment: number | null): string {
  return moment === null ? "" : new Date(moment).toISOString().replace(".000Z", "Z");
}

function customEnds(range: Range): QueryParams {
  if (range.kind !== "custom") return [];
  const pairs: [string, string][] = [["from", range.from], ["to", range.to]];
  return pairs.filter(([, value]) => value);
}

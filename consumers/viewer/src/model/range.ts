/** A range of time: one of the presets, which moves with the clock, or two fixed ends. */
import type { Pairs } from "../api/client.js";

export const PRESETS = ["1h", "24h", "7d", "30d", "90d", "1y"] as const;
export type Preset = (typeof PRESETS)[number];

/** `from` and `to` are RFC 3339, or "" where the range is open; `to` is not included. */
export type Range =
  | { readonly kind: "ever" }
  | { readonly kind: "preset"; readonly preset: Preset }
  | { readonly kind: "custom"; readonly from: string; readonly to: string };

export const EVER: Range = { kind: "ever" };

const HOUR_MS = 3_600_000;
const LENGTH_MS: Record<Preset, number> = {
  "1h": HOUR_MS,
  "24h": 24 * HOUR_MS,
  "7d": 7 * 24 * HOUR_MS,
  "30d": 30 * 24 * HOUR_MS,
  "90d": 90 * 24 * HOUR_MS,
  "1y": 365 * 24 * HOUR_MS,
};

/** The range in an address' parameters. */
export function rangeOf(given: URLSearchParams): Range {
  const preset = given.get("range");
  if (preset && (PRESETS as readonly string[]).includes(preset)) return { kind: "preset", preset: preset as Preset };
  const [from, to] = [moment(given.get("from")), moment(given.get("to"))];
  return from || to ? { kind: "custom", from, to } : EVER;
}

/** The parameters of an address that say this range. */
export function rangePairs(range: Range): Pairs {
  if (range.kind === "preset") return [["range", range.preset]];
  return ends(range);
}

/** The service's parameters `from` and `to`. `now` in ms; a preset's end is open, so that what comes in is in it. */
export function asked(range: Range, now: number): Pairs {
  if (range.kind === "preset") return [["from", new Date(now - LENGTH_MS[range.preset]).toISOString()]];
  return ends(range);
}

function ends(range: Range): Pairs {
  if (range.kind !== "custom") return [];
  const pairs: [string, string][] = [["from", range.from], ["to", range.to]];
  return pairs.filter(([, value]) => value);
}

function moment(text: string | null): string {
  return text && Number.isFinite(Date.parse(text)) ? text : "";
}

/** Formats time ranges, counts, sizes and durations for sentences. */
import type { Texts } from "../../i18n/en/index.js";
import type { Range } from "../range.js";

/** Formats a range. Returns "" for all time. `zone` is an IANA name. */
export function formatRange(range: Range, text: Texts, language: string, zone: string): string {
  if (range.kind === "preset") return text.states.presets[range.preset];
  if (range.kind !== "custom") return "";
  const format = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short", timeZone: zone });
  const [from, to] = [range.from, range.to].map((end) => (end ? format.format(new Date(end)) : ""));
  if (from && to) return text.states.between(from, to);
  return from ? text.states.since(from) : text.states.until(to ?? "");
}

export function formatCount(count: number, language: string): string {
  return new Intl.NumberFormat(language).format(count);
}

/** Formats a size in powers of 1,000. */
export function formatBytes(bytes: number, language: string): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return new Intl.NumberFormat(language, {
    style: "unit",
    unit: units[power] as string,
    unitDisplay: power ? "short" : "long",
    maximumFractionDigits: power && value < 100 ? 1 : 0,
  }).format(value);
}

export function formatSeconds(seconds: number, language: string): string {
  return new Intl.NumberFormat(language, { style: "unit", unit: "second", unitDisplay: "long" }).format(seconds);
}

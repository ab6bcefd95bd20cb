/** Converts between instants and local time in a zone. */

/** `day` is YYYY-MM-DD, and `time` is HH:MM or HH:MM:SS. */
export interface LocalTime {
  readonly day: string;
  readonly time: string;
}

const DAY_MS = 86_400_000;
const formats = new Map<string, Intl.DateTimeFormat>();

const known = new Map<string, boolean>();

/** Returns whether Intl can use a time zone. Browsers may report zones that it cannot use, such as `Etc/Unknown`. */
export function isZone(name: string): boolean {
  let valid = known.get(name);
  if (valid === undefined) {
    try {
      new Intl.DateTimeFormat("en", { timeZone: name });
      valid = /^[A-Za-z]/.test(name); // the service accepts only names and no offsets
    } catch {
      valid = false;
    }
    known.set(name, valid);
  }
  return valid;
}

/** Returns the browser's zone (IANA), or UTC if it reports none or an invalid one. */
export function localZone(): string {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  return timeZone && isZone(timeZone) ? timeZone : "UTC";
}

/** Returns the zone with this name or city, or null if it is unknown. Case is ignored, and spaces are treated as underscores. */
export function findZone(typed: string, zones: readonly string[]): string | null {
  const name = typed.trim().replace(/\s+/g, "_").toLowerCase();
  const exact = zones.find((zone) => zone.toLowerCase() === name);
  if (exact) return exact;
  const [city, ...others] = zones.filter((zone) => zone.toLowerCase().endsWith(`/${name}`));
  if (city && !others.length) return city;
  return isZone(name) ? (new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone ?? null) : null;
}

/** Returns the local time of a zone (IANA) at an instant in ms. */
export function localTimeOf(moment: number, zone: string): LocalTime {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-CA-u-ca-iso8601", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    });
    formats.set(zone, format);
  }
  const part = Object.fromEntries(format.formatToParts(moment).map(({ type, value }) => [type, value]));
  return {
    day: `${part["year"]?.padStart(4, "0")}-${part["month"]}-${part["day"]}`,
    time: `${part["hour"]}:${part["minute"]}:${part["second"]}`,
  };
}

/**
 * Returns the instant of a local time in ms. A time skipped by a clock change is moved forward by the change. If a time
 * occurs twice, the first instant is returned.
 */
export function instantOf(day: string, time: string, zone: string): number {
  const plain = Date.parse(`${day}T${time || "00:00"}Z`);
  if (!Number.isFinite(plain)) return NaN;
  const before = offset(plain - DAY_MS, zone);
  const tried = [plain - before, plain - offset(plain + DAY_MS, zone)].sort((one, other) => one - other);
  return tried.find((moment) => moment + offset(moment, zone) === plain) ?? plain - before;
}

/** Adds days to a day. */
export function addDays(day: string, days = 1): string {
  return new Date(Date.parse(`${day}T00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
}

/** Returns the offset of the zone from UTC at an instant, in ms. */
function offset(moment: number, zone: string): number {
  const { day, time } = localTimeOf(moment, zone);
  return Date.parse(`${day}T${time}Z`) - Math.floor(moment / 1000) * 1000;
}

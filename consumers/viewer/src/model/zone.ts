/** Time on the wall of a zone: days and hours as its clocks show them, and the moments that they stand for. */

/** `day` is YYYY-MM-DD, `time` HH:MM or HH:MM:SS. */
export interface LocalTime {
  readonly day: string;
  readonly time: string;
}

const DAY_MS = 86_400_000;
const formats = new Map<string, Intl.DateTimeFormat>();

const usable = new Map<string, boolean>();

/** The browser's zone (IANA); UTC where it says one that it does not know itself, such as `Etc/Unknown`, or none. */
export function localZone(): string {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  if (!timeZone) return "UTC";
  let known = usable.get(timeZone);
  if (known === undefined) {
    try {
      new Intl.DateTimeFormat("en", { timeZone });
      known = true;
    } catch {
      known = false;
    }
    usable.set(timeZone, known);
  }
  return known ? timeZone : "UTC";
}

/** What the clocks of a zone (IANA) show at a moment, in ms. */
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
 * The moment at which the zone's clocks show this, in ms. A time that a change of clocks skips is as much later; of one
 * that is there twice, the first.
 */
export function instantOf(day: string, time: string, zone: string): number {
  const plain = Date.parse(`${day}T${time || "00:00"}Z`);
  if (!Number.isFinite(plain)) return NaN;
  const before = offset(plain - DAY_MS, zone);
  const tried = [plain - before, plain - offset(plain + DAY_MS, zone)].sort((one, other) => one - other);
  return tried.find((moment) => moment + offset(moment, zone) === plain) ?? plain - before;
}

/** The day that is so many days later. */
export function addDays(day: string, days = 1): string {
  return new Date(Date.parse(`${day}T00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
}

/** How far the zone's clocks are before UTC at a moment, in ms. */
function offset(moment: number, zone: string): number {
  const { day, time } = localTimeOf(moment, zone);
  return Date.parse(`${day}T${time}Z`) - Math.floor(moment / 1000) * 1000;
}

/** Formats moments, relative and exact, in a language and a zone. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const RELATIVE_UNTIL = 7 * DAY; // beyond this, the date is more useful
const SKEW = 5_000; // tolerance for clocks that are ahead

const clocks = new Map<string, Clock>();

/** Returns the cached clock of a language (BCP 47) and a zone (IANA); its formatters are expensive to create. */
export function clockOf(language: string, zone: string): Clock {
  const key = `${language} ${zone}`;
  let found = clocks.get(key);
  if (!found) clocks.set(key, (found = new Clock(language, zone)));
  return found;
}

export class Clock {
  private readonly ago: Intl.RelativeTimeFormat;
  private readonly full: Intl.DateTimeFormat;

  constructor(
    readonly language: string,
    readonly zone: string,
  ) {
    this.ago = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
    this.full = new Intl.DateTimeFormat(language, {
      year: "numeric",
      month: "short",
      day: "numeric",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      timeZone: zone,
    });
  }

  /** Formats as "3 min. ago" or "yesterday", or as the exact time after a week. `now` is in ms. */
  relative(moment: string, now: number): string {
    const ms = Date.parse(moment);
    if (Number.isNaN(ms)) return moment;
    const ahead = ms - now;
    const off = ahead > 0 && ahead <= SKEW ? 0 : ahead;
    const size = Math.abs(off);
    if (size >= RELATIVE_UNTIL) return this.full.format(ms);
    if (size < MINUTE) return this.ago.format(Math.trunc(off / 1000), "second");
    if (size < HOUR) return this.ago.format(Math.trunc(off / MINUTE), "minute");
    if (size < DAY) return this.ago.format(Math.trunc(off / HOUR), "hour");
    return this.ago.format(Math.trunc(off / DAY), "day");
  }

  /** Returns exact times that include the longest possible one: in every month, before and after noon, with wide digits. */
  longest(): string[] {
    const months = Array.from({ length: 12 }, (_, month) => month);
    return months.flatMap((month) => [8, 20].map((hour) => this.full.format(Date.UTC(2028, month, 28, hour, 58, 58))));
  }

  /** Formats to the second. */
  exact(moment: string): string {
    const ms = Date.parse(moment);
    return Number.isNaN(ms) ? moment : this.full.format(ms);
  }
}

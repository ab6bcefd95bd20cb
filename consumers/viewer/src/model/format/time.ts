/** Formats moments, relative and exact, in a language and a zone. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const RELATIVE_UNTIL = 7 * DAY; // an older time is shown by its date alone
const SKEW = 5_000; // tolerance for clocks that are ahead

const clocks = new Map<string, Clock>();

/** Returns the clock for a language (BCP 47) and a zone (IANA). Clocks are cached, since their formatters are expensive to create. */
export function clockOf(language: string, zone: string): Clock {
  const key = `${language} ${zone}`;
  let found = clocks.get(key);
  if (!found) clocks.set(key, (found = new Clock(language, zone)));
  return found;
}

export class Clock {
  private readonly ago: Intl.RelativeTimeFormat;
  private readonly narrow: Intl.RelativeTimeFormat;
  private readonly full: Intl.DateTimeFormat;
  private readonly withoutYear: Intl.DateTimeFormat;
  private readonly year: Intl.DateTimeFormat;

  constructor(
    readonly language: string,
    readonly zone: string,
  ) {
    this.ago = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
    this.narrow = new Intl.RelativeTimeFormat(language, { style: "narrow" });
    const parts = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: zone } as const;
    this.withoutYear = new Intl.DateTimeFormat(language, parts);
    this.full = new Intl.DateTimeFormat(language, { ...parts, year: "numeric" });
    this.year = new Intl.DateTimeFormat(language, { year: "numeric", timeZone: zone });
  }

  /** Formats a time as "3 min. ago" or "yesterday". Returns "" for a time that is a week or more away. `now` is in ms. */
  relative(moment: string, now: number): string {
    return this.formatAgo(moment, now, this.ago);
  }

  /** Formats a time like `relative`, but as "3m ago" or "1d ago", which fits next to the exact time. */
  relativeNarrow(moment: string, now: number): string {
    return this.formatAgo(moment, now, this.narrow);
  }

  /** Returns sample days with times, from this year and another one, including the longest possible ones. */
  longest(): { brief: string[]; exact: string[] } {
    const months = Array.from({ length: 12 }, (_, month) => month);
    const moments = months.flatMap((month) => [8, 20].map((hour) => Date.UTC(2028, month, 28, hour, 58, 58))); // wide digits
    return { brief: moments.map((ms) => this.withoutYear.format(ms)), exact: moments.map((ms) => this.full.format(ms)) };
  }

  /** Returns sample results of `relativeNarrow`, including the longest possible one. */
  longestRelative(): string[] {
    const amounts = [["second", 58], ["minute", 58], ["hour", 20], ["day", 6]] as const;
    return amounts.map(([unit, count]) => this.narrow.format(-count, unit));
  }

  /** Formats day and time to the second. The year is included if it differs from that of `now` (ms). */
  brief(moment: string, now: number): string {
    const ms = Date.parse(moment);
    if (Number.isNaN(ms)) return moment;
    return (this.year.format(ms) === this.year.format(now) ? this.withoutYear : this.full).format(ms);
  }

  /** Formats day and time to the second. */
  exact(moment: string): string {
    const ms = Date.parse(moment);
    return Number.isNaN(ms) ? moment : this.full.format(ms);
  }

  private formatAgo(moment: string, now: number, format: Intl.RelativeTimeFormat): string {
    const ms = Date.parse(moment);
    if (Number.isNaN(ms)) return "";
    const ahead = ms - now;
    const off = ahead > 0 && ahead <= SKEW ? -0 : ahead;
    const size = Math.abs(off);
    if (size >= RELATIVE_UNTIL) return "";
    if (size < MINUTE) return format.format(Math.trunc(off / 1000), "second");
    if (size < HOUR) return format.format(Math.trunc(off / MINUTE), "minute");
    if (size < DAY) return format.format(Math.trunc(off / HOUR), "hour");
    return format.format(Math.trunc(off / DAY), "day");
  }
}

/** Labels the ticks of a time axis. */

const LABEL_PX = 60;
const FIRST_PX = 100; // a day with a time

/**
 * Returns a label for each tick (s since 1970) of an axis from `begin` to `end` (s) that is `width` px wide, and "" where
 * the label would be cut off. For steps of less than a day: the day with the time at first, then the day where it changes,
 * or else the time.
 */
export function axisLabels(ticks: readonly number[], [begin, end]: readonly [number, number], width: number, timeZone: string, locale: string): string[] {
  const step = (ticks[1] ?? end) - (ticks[0] ?? begin);
  const format = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat => new Intl.DateTimeFormat(locale, { timeZone, ...options });
  const time = { hour: "2-digit", minute: "2-digit", ...(step < 60 ? ({ second: "2-digit" } as const) : {}) } as const;
  const month = format({ month: "short", year: "numeric" });
  const year = format({ year: "numeric" });
  const dayFormat = { day: "numeric", month: "short" } as const;
  const formats = { day: format(dayFormat), time: format(time), both: format({ ...dayFormat, ...time }) };
  let before = "";
  return ticks.map((tick) => {
    const left = ((tick - begin) / (end - begin)) * width;
    const fits = (needed: number): boolean => left >= needed / 2 && left <= width - needed / 2;
    if (!fits(LABEL_PX)) return "";
    const moment = tick * 1000;
    if (step >= 300 * 86_400) return year.format(moment);
    if (step >= 27 * 86_400) return month.format(moment);
    const today = formats.day.format(moment);
    if (step >= 86_400) return today;
    if (!before && !fits(FIRST_PX)) return formats.time.format(moment);
    const shown = before ? (today === before ? formats.time.format(moment) : today) : formats.both.format(moment);
    before = today;
    return shown;
  });
}

/** Writes days in a time zone as query terms. In a query, a plain date is a day in UTC. */
import { escapeName } from "./query.js";
import { addDays, instantOf } from "./zone.js";

/**
 * Returns the term for a day (YYYY-MM-DD) in a zone (IANA). With a comparison operator, it is the term for the times
 * before or after that day.
 */
export function dayTerm(field: string, operator: string, day: string, zone: string, negated: boolean): string {
  const sign = negated ? "-" : "";
  const name = escapeName(field);
  if (zone === "UTC") return `${sign}${name}:${operator}${day}`;
  const at = (date: string): string => new Date(instantOf(date, "", zone)).toISOString().replace(".000Z", "Z");
  const [start, end] = [at(day), at(addDays(day))];
  if (!operator) return `${sign}(${name}:>=${start} ${name}:<${end})`;
  return `${sign}${name}:${{ ">": `>=${end}`, "<=": `<${end}` }[operator] ?? operator + start}`;
}

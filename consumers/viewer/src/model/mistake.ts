/** Where a mistake in a query is to be underlined. */

/** From and to, in UTF-16 units, of the mistake at a column that the service gave: counted from 1, in code points. */
export function mistakeIn(query: string, column: number): readonly [number, number] {
  const signs = [...query];
  const begin = signs.slice(0, column - 1).join("").length;
  const rest = query.slice(begin);
  const length = /^(?:"(?:\\.|[^"\\])*"?|(?:\\.|[^\s()"])+|.)/su.exec(rest)?.[0].length ?? 0;
  return [begin, begin + length];
}

/** Things by the name of their group, in the order in which the groups are met. */
export function grouped<T>(all: readonly T[], nameOf: (one: T) => string): [string, T[]][] {
  const found = new Map<string, T[]>();
  for (const one of all) {
    const group = found.get(nameOf(one));
    if (group) group.push(one);
    else found.set(nameOf(one), [one]);
  }
  return [...found];
}

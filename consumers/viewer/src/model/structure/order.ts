/** Assigns the numbers that order the fields. As few as possible are changed, so that the others continue to inherit. */

export interface OrderedField {
  name: string;
  /** Ascending in the service's list. Equal numbers are sorted by name. */
  order: number;
}

const MAX_ORDER = 1_000_000; // the service's limit in both directions
const NONE: ReadonlySet<string> = new Set();

/**
 * Returns an order number for each field, by name, so that the fields sort into this sequence.
 *
 * As few numbers as possible are changed, preferably those of fields in `preferMoved`. All numbers are changed if one
 * would exceed the limit of the service.
 */
export function assignOrders(sequence: readonly OrderedField[], preferMoved: ReadonlySet<string> = NONE): Map<string, number> {
  const kept = longestOrdered(sequence, preferMoved);
  const orders = new Map<string, number>();
  const first = kept[0];
  if (first === undefined) return orders;
  const edges = [-1, ...kept, sequence.length];
  edges.slice(1).forEach((right, at) => {
    const left = edges[at] as number;
    for (let index = left + 1; index < right; index++) orders.set(nameAt(index), between(left, right, index));
    if (right < sequence.length) orders.set(nameAt(right), (sequence[right] as OrderedField).order);
  });
  const found = [...orders.values()];
  if (found.every((order) => Math.abs(order) <= MAX_ORDER)) return orders;
  return new Map(sequence.map(({ name }, index) => [name, index]));

  function nameAt(index: number): string {
    return (sequence[index] as OrderedField).name;
  }

  function between(left: number, right: number, index: number): number {
    const low = sequence[left]?.order;
    const high = sequence[right]?.order;
    if (low === undefined) return (high as number) - (right - index);
    if (high === undefined) return low + (index - left);
    return low + Math.floor(((high - low) * (index - left)) / (right - left));
  }
}

/** Returns the smallest set of moved names that explains the new order, preferably names in `preferMoved`. */
export function movedFields(before: readonly string[], after: readonly string[], preferMoved: ReadonlySet<string> = NONE): string[] {
  const indexByName = new Map(before.map((name, at) => [name, at]));
  const known = after.filter((name) => indexByName.has(name));
  const stays = longestChain(known.length, (left, right) => at(left) < at(right), (index) => preferMoved.has(known[index] as string));
  const still = new Set(stays);
  return known.filter((_, index) => !still.has(index));

  function at(index: number): number {
    return indexByName.get(known[index] as string) as number;
  }
}

/** Moves an item to an index, which is clamped to the length of the list. */
export function moveTo<T extends { name: string }>(list: readonly T[], name: string, to: number): T[] {
  const moved = list.find((item) => item.name === name);
  if (!moved) return [...list];
  const rest = list.filter((item) => item !== moved);
  rest.splice(Math.max(0, Math.min(to, rest.length)), 0, moved);
  return rest;
}

function longestOrdered(sequence: readonly OrderedField[], preferMoved: ReadonlySet<string>): number[] {
  const follows = (left: number, right: number): boolean => {
    const low = sequence[left] as OrderedField;
    const high = sequence[right] as OrderedField;
    const gap = high.order - low.order;
    const inside = right - left - 1;
    return gap > inside || (gap === 0 && inside === 0 && low.name < high.name);
  };
  return longestChain(sequence.length, follows, (index) => preferMoved.has((sequence[index] as OrderedField).name));
}

/**
 * Returns the longest ascending list of indices below `count` in which each may follow the previous one, with as few
 * `avoided` ones as possible.
 */
function longestChain(
  count: number,
  follows: (left: number, right: number) => boolean,
  avoided: (index: number) => boolean,
): number[] {
  const length: number[] = [];
  const previous: number[] = [];
  for (let right = 0; right < count; right++) {
    const counts = avoided(right) ? 1 - 1 / (count + 1) : 1; // all avoided ones together count less than a single other one
    [length[right], previous[right]] = [counts, -1];
    for (let left = 0; left < right; left++) {
      if ((length[left] as number) + counts > (length[right] as number) && follows(left, right)) {
        [length[right], previous[right]] = [(length[left] as number) + counts, left];
      }
    }
  }
  const found: number[] = [];
  let at = length.indexOf(Math.max(...length));
  while (at >= 0) {
    found.unshift(at);
    at = previous[at] as number;
  }
  return found;
}

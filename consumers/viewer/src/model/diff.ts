/** Compares two JSON texts key by key. Numbers keep all their digits. */

import { Numeral, parseJson } from "./json.js";

export interface Change {
  /** The keys and indices that lead to the value. Empty for the whole document. */
  path: string[];
  kind: "added" | "removed" | "changed" | "same";
  /** Indented JSON. Strings have no quotes. */
  before: string | null;
  after: string | null;
}

const DEEPEST = 40;

type Value = null | boolean | string | Numeral | Value[] | Map<string, Value>;

/** Returns the changes in the order of their keys, or null if a text is not JSON. If a side is null, it has no value. */
export function diffJson(before: string | null, after: string | null): Change[] | null {
  try {
    const [old, now] = [before, after].map((text) => (text === null ? undefined : (parseJson(text) as Value)));
    const found: Change[] = [];
    compare([], old, now, found);
    return found;
  } catch {
    return null;
  }
}

function compare(path: string[], old: Value | undefined, now: Value | undefined, into: Change[]): void {
  const top = path.length === 0;
  if (old instanceof Map || now instanceof Map) {
    const left = old ?? (top ? new Map() : old);
    const right = now ?? (top ? new Map() : now);
    if (left instanceof Map && right instanceof Map && path.length < DEEPEST) return compareKeys(path, left, right, into);
  }
  if (Array.isArray(old) && Array.isArray(now) && path.length < DEEPEST) return compareItems(path, old, now, into);
  const left = display(old);
  const right = display(now);
  const kind = left === null ? "added" : right === null ? "removed" : isEqual(old, now) ? "same" : "changed";
  if (left !== null || right !== null) into.push({ path, kind, before: left, after: right });
}

function compareKeys(path: string[], old: Map<string, Value>, now: Map<string, Value>, into: Change[]): void {
  for (const key of new Set([...old.keys(), ...now.keys()])) compare([...path, key], old.get(key), now.get(key), into);
}

/** Aligns equal items at both ends, so that an inserted item does not change all items after it. */
function compareItems(path: string[], old: Value[], now: Value[], into: Change[]): void {
  let head = 0;
  while (head < old.length && head < now.length && isEqual(old[head], now[head])) head += 1;
  let tail = 0;
  const most = Math.min(old.length, now.length) - head;
  while (tail < most && isEqual(old[old.length - 1 - tail], now[now.length - 1 - tail])) tail += 1;
  const at = (index: number): string[] => [...path, String(index)];
  for (let index = 0; index < head; index++) compare(at(index), old[index], now[index], into);
  const middle = Math.max(old.length, now.length) - tail;
  for (let index = head; index < middle; index++) {
    compare(at(index), index < old.length - tail ? old[index] : undefined, index < now.length - tail ? now[index] : undefined, into);
  }
  for (let step = tail; step > 0; step--) compare(at(now.length - step), old[old.length - step], now[now.length - step], into);
}

function isEqual(left: Value | undefined, right: Value | undefined): boolean {
  return serialize(left) === serialize(right);
}

function display(value: Value | undefined): string | null {
  if (value === undefined) return null;
  return typeof value === "string" ? value : serialize(value, "  ");
}

/** Serializes with sorted keys, so that the order of keys makes no difference. */
function serialize(value: Value | undefined, indent = "", margin = ""): string {
  if (value === undefined) return "";
  if (value instanceof Numeral) return value.digits;
  if (!Array.isArray(value) && !(value instanceof Map)) return JSON.stringify(value);
  const inner = margin + indent;
  const parts = Array.isArray(value)
    ? value.map((item) => serialize(item, indent, inner))
    : [...value.keys()].sort().map((key) => `${JSON.stringify(key)}: ${serialize(value.get(key), indent, inner)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  if (!parts.length) return `${open}${close}`;
  if (!indent) return `${open}${parts.join(", ")}${close}`;
  return `${open}\n${parts.map((part) => inner + part).join(",\n")}\n${margin}${close}`;
}

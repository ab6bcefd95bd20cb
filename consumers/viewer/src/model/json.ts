/** Parses JSON without losing digits of numbers that a float cannot represent. */

const TOKENS = /"(?:\\.|[^"\\])*"|-?\d[\d.eE+-]*/g;
const MARK = "\ue000"; // a private-use character that marks a string that was a number

export class Numeral {
  constructor(readonly digits: string) {}
}

/** Parses like `JSON.parse`, with a Numeral for each number and a Map for each object. Throws SyntaxError. */
export function parseJson(text: string): unknown {
  JSON.parse(text); // rejects invalid JSON that could become valid with the marks
  const marked = text.includes(MARK) || /\\ue000/i.test(text);
  const numbered = marked ? text : text.replace(TOKENS, (found) => (found.startsWith('"') ? found : `"${MARK}${found}"`));
  return JSON.parse(numbered, (_, value: unknown) => {
    if (typeof value === "number") return new Numeral(String(value));
    if (typeof value === "string" && !marked && value.startsWith(MARK)) return new Numeral(value.slice(1));
    const plain = value !== null && typeof value === "object" && !Array.isArray(value);
    return plain && !(value instanceof Map) && !(value instanceof Numeral) ? new Map(Object.entries(value)) : value;
  });
}

/** Whether `JSON.parse` would change a number in this JSON. */
export function losesDigits(text: string): boolean {
  return [...text.matchAll(TOKENS)].some(([found]) => !found.startsWith('"') && String(Number(found)) !== found);
}

import { describe, expect, it } from "vitest";

import { settingsTextsOf } from "../src/i18n/settings.js";
import { viewTexts } from "../src/i18n/views.js";

type Text = string | ((...values: unknown[]) => string);

/** Texts whose translation is identical to the English. Any other identical text was left untranslated. */
const ALIKE = [
  "download.format",
  "download.formats.csv.name",
  "download.formats.xlsx.name",
  "download.formats.jsonl.name",
  "download.formats.parquet.name",
  "download.formats.ocsf.name",
  "download.formats.pdf.name",
  "reading.severity.Info",
  "reading.provenance.gateway",
  "reading.provenance.kafka",
  "reading.received.gateway",
  "reading.received.kafka",
  "reading.column.filter",
  "reading.live.label",
  "reading.details.link",
  "reading.details.json",
  "search.filter.open",
  "search.range.utc",
  "settings.fields.toggles.showInMoreInfo",
  "settings.fields.toggles.downloadable",
  "settings.fields.toggles.filterable",
  "settings.types.AlphaNumeric",
  "settings.form.minimum",
  "settings.form.maximum",
  "settings.form.optional",
  "views.name",
];
const QUERY = /^search\.help\.examples\.\d+\.0$/; // examples to type are the same in every language

/** Values for placeholders: a plural, then a count of one, then a condition that does not hold. */
const VALUES = [
  ["<a>", "<b>", "<c>", "<d>"],
  ["1", "1", false, "<d>"],
  ["<a>", false, "<c>", "<d>"],
];

/** Returns all texts by path, except query errors, which take an object and have their own test. */
function textsIn(part: object, path = ""): [string, Text][] {
  return Object.entries(part).flatMap(([key, value]): [string, Text][] => {
    const here = path + key;
    if (here === "mistakes" || QUERY.test(here)) return [];
    return typeof value === "object" ? textsIn(value as object, `${here}.`) : [[here, value as Text]];
  });
}

function render(text: Text | undefined, values: readonly unknown[] = VALUES[0]!): string {
  return typeof text === "function" ? text(...values) : (text ?? "");
}

const english = new Map(textsIn({ ...(await settingsTextsOf("en")), views: viewTexts.en }));
const german = new Map(textsIn({ ...(await settingsTextsOf("de")), views: viewTexts.de }));
const placeholders = (text: string): string[] => [...new Set(text.match(/<\w>/g))].sort();

describe("the catalogues", () => {
  it("have the same texts, and none is empty", () => {
    expect([...german.keys()].sort()).toEqual([...english.keys()].sort());
    expect(english.size).toBeGreaterThan(500);
    for (const catalogue of [english, german]) {
      const empty = [...catalogue].filter(([, text]) => VALUES.some((values) => !render(text, values).trim()));
      expect(empty.map(([path]) => path)).toEqual(["reading.network.public"]);
    }
  });

  it.each(VALUES.map((values) => [values]))("use the same placeholders with %j", (values) => {
    for (const [path, text] of english) {
      const translated = render(german.get(path), values);
      expect(placeholders(translated), path).toEqual(placeholders(render(text, values)));
      expect(translated, path).not.toMatch(/undefined|NaN/);
    }
  });

  it("have the same text only for words of both languages", () => {
    const hasWords = (text: string): boolean => /\p{Letter}/u.test(text.replace(/<\w>/g, ""));
    const alike = [...english].filter(([path, text]) => hasWords(render(text)) && render(german.get(path)) === render(text));
    expect(alike.map(([path]) => path)).toEqual(ALIKE);
  });

  it("use the quotation marks of their language", () => {
    for (const [path, text] of english) expect(render(text), path).not.toMatch(/„|(?<=\p{Letter})'/u);
    for (const [path, text] of german) expect(render(text), path).not.toMatch(/”|“(?=[\p{Letter}<])|(?<=\p{Letter})'/u);
  });
});

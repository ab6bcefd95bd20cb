import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";

import type { Grammar, Labels } from "../src/api/actions.js";
import { Catalogue } from "../src/model/catalogue.js";
import { isAttempt, NO_TEMPLATES, sentenceParts, type SentenceEvent, sentenceText } from "../src/model/sentence.js";

interface Vector {
  why: string;
  event: SentenceEvent;
  templates?: Partial<Record<"label" | "sentence" | "attempted", Labels>>;
  en: string;
  de: string;
}

const SHARED = resolve(import.meta.dirname, "../../../tests/support/sentences");
const read = (name: string): string => readFileSync(resolve(SHARED, name), "utf8");
const GRAMMAR = JSON.parse(read("grammar.json")) as Record<"en" | "de", Grammar>;
const VECTORS = JSON.parse(read("vectors.json")) as Vector[];
const LANGUAGES = ["en", "de"] as const;

function textOf({ event, templates = {} }: Omit<Vector, "why">, language: "en" | "de"): string {
  const { label, sentence, attempted } = templates;
  const texts = { label: label?.[language] ?? null, done: sentence?.[language] ?? null, attempted: attempted?.[language] ?? null };
  return sentenceText(event, GRAMMAR[language], texts);
}

describe("a sentence", () => {
  it.each(VECTORS)("is as on the server: $why", (vector) => {
    for (const language of LANGUAGES) expect(textOf(vector, language)).toBe(vector[language]);
  });

  it("has its values in parts of their own", () => {
    const event: SentenceEvent = { action: "document.deleted", outcome: "success", actor_name: "Jane", resource: "document", resource_id: "d" };
    expect(sentenceParts(event, GRAMMAR.en, NO_TEMPLATES)).toEqual([
      { text: "Jane", placeholder: "actor" },
      { text: " deleted ", placeholder: null },
      { text: "document d", placeholder: "object" },
    ]);
  });

  it("comes from the catalogue of actions, or is the action until the catalogue has loaded", () => {
    const labels = { en: "Signed in", de: "Anmeldung" };
    const action = { name: "user.login", label: labels, own: false, builtIn: true, attempted: null };
    const known = new Catalogue([{ ...action, sentence: { en: "{actor} came in", de: "{actor} ist da" } }], "de", GRAMMAR);
    const event: SentenceEvent = { action: "user.login", outcome: "success", actor_name: "Jane" };
    const text = (catalogue: Catalogue): string => catalogue.sentenceOf(event).map((part) => part.text).join("");
    expect(text(known)).toBe("Jane ist da");
    expect(text(known.in("en"))).toBe("Jane came in");
    expect(text(new Catalogue([{ ...action, sentence: null }], "en"))).toBe("Signed in");
  });

  it("claims an attempt only where the event failed or was denied", () => {
    expect((["success", "unknown", "failure", "denied"] as const).filter((outcome) => isAttempt({ outcome }))).toEqual(["failure", "denied"]);
  });

  const generated = process.env["AUDITLANE_SENTENCES"];
  it.runIf(generated)("agrees with the server on generated events", { timeout: 600_000 }, () => {
    const lines = readFileSync(generated ?? "", "utf8").split("\n").filter(Boolean);
    expect(lines.length).toBe(Number(process.env["AUDITLANE_SENTENCES_COUNT"]));
    const different = lines.map((line) => JSON.parse(line) as Vector).filter((vector) => LANGUAGES.some((language) => textOf(vector, language) !== vector[language]));
    expect(different.slice(0, 5)).toEqual([]);
  });
});

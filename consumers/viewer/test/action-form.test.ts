import { describe, expect, it } from "vitest";

import { actionForm, actionFromForm, actionInputOf, invalidPlaceholder, validateAction } from "../src/model/action-form.js";

const KNOWN = [
  { name: "invoice.paid", label: { en: "Invoice paid", de: "Rechnung bezahlt" }, own: true, builtIn: false, sentence: null, attempted: null },
  { name: "user.login", label: { en: "Signed in", de: "Anmeldung" }, own: false, builtIn: true, sentence: null, attempted: null },
];
const FORM = { ...actionForm(undefined), en: "A", de: "B" };
const errors = (name: string, isNew = true) => validateAction({ ...FORM, name }, KNOWN, isNew).name;

describe("the form of an action", () => {
  it("needs a name and both labels", () => {
    expect(validateAction(actionForm(undefined), KNOWN, true)).toEqual({ name: "needed", en: "needed", de: "needed" });
    expect(validateAction({ ...FORM, name: "a", de: " " }, KNOWN, true)).toEqual({ de: "needed" });
  });

  it("accepts new names and built-in ones", () => {
    expect(errors("document.deleted")).toBeUndefined();
    expect(errors("user.login")).toBeUndefined();
    expect(errors("invoice.paid", false)).toBeUndefined();
    expect(errors(" invoice.paid ")).toBe("taken");
    expect(errors("a/b")).toBe("invalidName");
    expect(errors("..")).toBe("invalidName");
  });

  it("sends trimmed texts", () => {
    const form = actionForm(KNOWN[0]);
    expect(form).toEqual({ ...actionForm(undefined), name: "invoice.paid", en: "Invoice paid", de: "Rechnung bezahlt" });
    expect(actionFromForm({ ...form, de: " Bezahlt " }).label.de).toBe("Bezahlt");
  });

  it("shows the service's messages at their inputs", () => {
    expect(["actions.0.label.de", "actions.0.name", "actions"].map(actionInputOf)).toEqual(["de", "name", null]);
    expect(["actions.0.sentence.de", "actions.0.attempted.en"].map(actionInputOf)).toEqual(["sentenceDe", "attemptedEn"]);
  });

  it("needs a sentence in both languages or in neither, with known placeholders", () => {
    const errors = (texts: Partial<typeof FORM>) => validateAction({ ...FORM, name: "a", ...texts }, KNOWN, true);
    expect(errors({ sentenceEn: "{actor} did {metadata.what}", sentenceDe: "{actor} tat {fields.x}" })).toEqual({});
    expect(errors({ sentenceEn: "x" })).toEqual({ sentenceDe: "bothNeeded" });
    expect(errors({ attemptedDe: "{actr} x", attemptedEn: "x }" })).toEqual({ attemptedDe: "placeholder", attemptedEn: "placeholder" });
    expect(["{actor} {actr} {x}", "{metadata}", "a }", "{metadata.}", "{actor}"].map(invalidPlaceholder)).toEqual(["{actr}", "{metadata}", "}", "{metadata.}", ""]);
  });

  it("sends empty sentences as the default", () => {
    const action = actionFromForm({ ...FORM, name: "a", sentenceEn: " x ", sentenceDe: "y" });
    expect(action).toMatchObject({ sentence: { en: "x", de: "y" }, attempted: null });
  });
});

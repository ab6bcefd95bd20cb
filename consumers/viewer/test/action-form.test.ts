import { describe, expect, it } from "vitest";

import { actionForm, actionFromForm, actionInputOf, validateAction } from "../src/model/action-form.js";

const KNOWN = [
  { name: "invoice.paid", label: { en: "Invoice paid", de: "Rechnung bezahlt" }, own: true, builtIn: false, sentence: null, attempted: null },
  { name: "user.login", label: { en: "Signed in", de: "Anmeldung" }, own: false, builtIn: true, sentence: null, attempted: null },
];
const errors = (name: string, isNew = true) => validateAction({ name, en: "A", de: "B" }, KNOWN, isNew).name;

describe("the form of an action", () => {
  it("needs a name and both labels", () => {
    expect(validateAction(actionForm(undefined), KNOWN, true)).toEqual({ name: "needed", en: "needed", de: "needed" });
    expect(validateAction({ name: "a", en: "A", de: " " }, KNOWN, true)).toEqual({ de: "needed" });
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
    expect(form).toEqual({ name: "invoice.paid", en: "Invoice paid", de: "Rechnung bezahlt" });
    expect(actionFromForm({ ...form, de: " Bezahlt " }).label.de).toBe("Bezahlt");
  });

  it("shows the service's messages at their inputs", () => {
    expect(["actions.0.label.de", "actions.0.name", "actions"].map(actionInputOf)).toEqual(["de", "name", null]);
  });
});

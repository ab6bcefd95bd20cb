import { describe, expect, it } from "vitest";

import { Catalogue } from "../src/model/catalogue.js";

const action = (name: string, en: string, de: string) => ({
  name,
  label: { en, de },
  own: false,
  builtIn: true,
  sentence: null,
  attempted: null,
});
const english = new Catalogue(
  [
    action("user.created", "User created", "Benutzer angelegt"),
    action("user.login", "Signed in", "Anmeldung"),
    action("user.login_failed", "Sign-in failed", "Anmeldung fehlgeschlagen"),
    action("task.failed", "Task failed", "Aufgabe fehlgeschlagen"),
  ],
  "en",
);
const german = english.in("de");
const names = (catalogue: Catalogue, typed: string): string[] => catalogue.matching(typed).map(({ name }) => name);

describe("the catalogue of actions", () => {
  it("has labels in the reader's language, and none for other actions", () => {
    expect(english.labelOf("user.login")).toBe("Signed in");
    expect(german.labelOf("user.login")).toBe("Anmeldung");
    expect(german.labelOf("constructor")).toBeUndefined();
  });

  it("finds actions by label, by name and by words of both", () => {
    expect(names(german, "anmeld")).toEqual(["user.login", "user.login_failed"]);
    expect(names(english, "anmeld")).toEqual([]);
    expect(names(english, "login failed")).toEqual(["user.login_failed"]);
    expect(names(german, "login fehl")).toEqual(["user.login_failed"]);
    expect(names(english, "user.log")).toEqual(["user.login", "user.login_failed"]);
    expect(names(english, "sign in")).toEqual(["user.login_failed", "user.login"]);
    expect(names(english, "USER_C")).toEqual(["user.created"]);
  });

  it("puts those that begin with the text first", () => {
    expect(names(german, "aufgabe fehl")).toEqual(["task.failed"]);
    expect(names(english, "failed")).toEqual(["user.login_failed", "task.failed"]);
    expect(names(english, "s")[0]).toBe("user.login");
    expect(names(english, "task")).toEqual(["task.failed"]);
  });

  it("matches names that it does not know", () => {
    expect(english.matches("invoice.paid", "paid")).toBe(true);
    expect(english.matches("invoice.paid", "failed")).toBe(false);
  });
});

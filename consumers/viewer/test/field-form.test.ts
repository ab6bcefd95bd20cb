import { describe, expect, it } from "vitest";

import { Problem } from "../src/api/problem.js";
import type { ContractField, Field, Structure } from "../src/api/structure.js";
import {
  emptyForm,
  type Form,
  formFromField,
  nameFromLabel,
  requestFromForm,
  rulesFromForm,
  rulesOf,
  validateForm,
} from "../src/model/structure/form.js";
import { emitCode, sampleValue } from "../src/model/structure/sample.js";
import { errorMessages } from "../src/model/structure/server-errors.js";

const form = (given: Partial<Form>): Form => ({ ...emptyForm(), displayName: "X", name: "x", ...given });
const field = (name: string, custom: boolean, displayType = "AlphaNumeric"): Field =>
  ({ name, custom, displayName: name, displayType, showInTable: false }) as Field;
const structure = { fields: [field("action", false), field("own", true)], removed: [field("gone", true)] } as Structure;
const errors = (given: Partial<Form>): object => validateForm(form(given), structure, true);

describe("a name from a label", () => {
  it.each([
    ["Order no.", "order_no"],
    ["Größe (cm)", "grosse_cm"],
    ["  2nd factor ", "_2nd_factor"],
    ["Ünïcode", "unicode"],
    ["日本", ""],
  ])("%s is %s", (label, name) => expect(nameFromLabel(label)).toBe(name));
});

describe("validation of a form", () => {
  it.each<[Partial<Form>, object]>([
    [{}, {}],
    [{ displayName: " " }, { displayName: "needed" }],
    [{ name: "" }, { name: "needed" }],
    [{ name: "a-b" }, { name: "nameForm" }],
    [{ name: "1a" }, { name: "nameForm" }],
    [{ name: "x".repeat(101) }, { name: "nameLong" }],
    [{ name: "action" }, { name: "nameBase" }],
    [{ name: "event_id" }, { name: "nameBase" }],
    [{ name: "own" }, { name: "nameTaken" }],
    [{ name: "gone" }, { name: "nameRemoved" }],
    [{ maxLength: "0" }, { maxLength: "wholeAboveZero" }],
    [{ maxLength: "2.5" }, { maxLength: "wholeAboveZero" }],
    [{ maxLength: "20" }, {}],
    [{ maxLength: "9", pattern: "(?i)x" }, { pattern: "lookAround" }],
    [{ maxLength: "9", pattern: "a(?=b)" }, { pattern: "lookAround" }],
    [{ maxLength: "4096", pattern: "(?:a|b)(?P<n>c)[(?=]\\(?x" }, {}],
    [{ maxLength: "9", pattern: "(a)\\1" }, { pattern: "backReference" }],
    [{ maxLength: "9", pattern: "\\\\1" }, {}],
    [{ pattern: "x" }, { maxLength: "patternLength" }],
    [{ maxLength: "4097", pattern: "x" }, { maxLength: "patternLength" }],
    [{ maxLength: "0", pattern: "x" }, { maxLength: "wholeAboveZero" }],
    [{ type: "Enum" }, { oneOf: "choicesNeeded" }],
    [{ type: "Enum", oneOf: "a\n b \n", default: "b" }, {}],
    [{ type: "Enum", oneOf: "a\nb", default: "c" }, { default: "notAChoice" }],
    [{ type: "Number", minimum: "x" }, { minimum: "number" }],
    [{ type: "Number", minimum: "2", maximum: "1" }, { maximum: "range" }],
    [{ type: "Number", minimum: "-1.5", maximum: "1e3" }, {}],
    [{ type: "Integer", minimum: "1.5", default: "2.5" }, { minimum: "wholeNumber", default: "wholeNumber" }],
    [{ type: "Number", oneOf: "1\ntwo" }, { oneOf: "number" }],
    [{ type: "Timestamp", default: "soon" }, { default: "time" }],
    [{ type: "Boolean", minimum: "x", pattern: "(?i)" }, {}],
  ])("%o: %o", (given, found) => expect(errors(given)).toEqual(found));

  it("lets an existing field keep its name", () => {
    expect(validateForm(form({ name: "own" }), structure, false)).toEqual({});
  });
});

describe("the request", () => {
  it("of a new field contains all inputs", () => {
    const given = form({ displayName: " Order ", required: true, maxLength: "20", pattern: "[A-Z]+", minimum: "3", sortable: true });
    expect(requestFromForm(given, null, false)).toEqual({
      name: "x",
      displayName: "Order",
      type: "AlphaNumeric",
      rules: { required: true, maxLength: 20, pattern: "[A-Z]+" },
      showInTable: true,
      showInMoreInfo: true,
      downloadable: true,
      filterable: true,
      sortable: true,
    });
    expect(requestFromForm(form({ exclusive: true }), null, false).exclusive).toBe(true);
    expect(requestFromForm(form({}), null, true).exclusive).toBe(false);
    expect("exclusive" in requestFromForm(form({ exclusive: true }), null, true)).toBe(false);
    expect("exclusive" in requestFromForm(form({ exclusive: true }), null, null)).toBe(false);
  });

  it.each<[Partial<Form>, unknown]>([
    [{ type: "Number", default: "1.5" }, 1.5],
    [{ type: "Integer", default: "-3" }, -3],
    [{ type: "Boolean", default: "false" }, false],
    [{ type: "Timestamp", default: "2026-01-31T13:45" }, new Date("2026-01-31T13:45").toISOString()],
    [{ default: "eu" }, "eu"],
  ])("has a default of the field's type: %o", (given, value) => expect(requestFromForm(form(given), null, null).default).toBe(value));

  it("contains only rules of the field's type", () => {
    expect(rulesFromForm(form({ type: "Enum", oneOf: "a\n\na\nb", pattern: "x", minimum: "1" }))).toEqual({ oneOf: ["a", "b"] });
    expect(rulesFromForm(form({ type: "Integer", oneOf: "1\n2", maximum: "9", maxLength: "3" }))).toEqual({ maximum: 9, oneOf: [1, 2] });
    expect(rulesOf("Boolean")).toEqual(["required"]);
  });

  it("of an existing field contains the differences", () => {
    const contract: ContractField = { name: "own", type: "AlphaNumeric", default: "eu", rules: { maxLength: 5 }, shown: true, displayName: "Own" };
    const was = formFromField(field("own", true, "Email"), contract, false);
    expect(was).toMatchObject({ type: "Email", default: "eu", maxLength: "5" });
    expect(requestFromForm(was, was, false)).toEqual({});
    expect(requestFromForm({ ...was, displayName: "O" }, was, false)).toEqual({ displayName: "O" });
    expect(requestFromForm({ ...was, maxLength: "", default: "" }, was, false)).toEqual({ rules: {}, default: null });
    expect(requestFromForm({ ...was, exclusive: true, default: "us" }, was, false)).toEqual({ exclusive: true, default: "us" });
    const none = formFromField(field("own", true), { ...contract, default: null }, false);
    expect(requestFromForm(none, none, false)).toEqual({});
  });

  it("converts a moment back and forth", () => {
    const contract: ContractField = { name: "own", type: "Timestamp", default: "2026-01-31T13:45:00Z", rules: {}, shown: true, displayName: null };
    const was = formFromField(field("own", true, "Timestamp"), contract, false);
    expect(requestFromForm(was, null, null).default).toBe("2026-01-31T13:45:00.000Z");
  });
});

describe("the service's error messages", () => {
  const problem = (field: string, detail: string, fix = "", errors: { field: string; message: string }[] = []): Problem =>
    new Problem(400, "INPUT_INVALID", detail, fix, field, null, null, "", errors);

  it.each<[Problem, object]>([
    [problem("name", "name: 'a b' is not a valid field name.", "Use letters."), { name: "'a b' is not a valid field name. Use letters." }],
    [problem("rules", "rules: `pattern` '(?i)x' is not valid: remove flags."), { pattern: "`pattern` '(?i)x' is not valid: remove flags." }],
    [problem("rules", "rules: an Enum needs `oneOf`.", "List its values."), { oneOf: "An Enum needs `oneOf`. List its values." }],
    [problem("default", "default: must be text"), { default: "Must be text." }],
    [problem("", "There is a field."), { "": "There is a field." }],
    [
      problem("rules.maxLength", "…", "", [
        { field: "rules.maxLength", message: "must be a whole number" },
        { field: "rules.oneOf.0", message: "must be text" },
        { field: "rules.oneOf.1", message: "must be text" },
        { field: "order", message: "is too large" },
      ]),
      { maxLength: "Must be a whole number.", oneOf: "Must be text. Must be text.", "": "Order: is too large." },
    ],
  ])("are assigned to their inputs: %o", (given, messages) => expect(errorMessages(given)).toEqual(messages));
});

describe("the code that sends a field", () => {
  it.each<[Partial<Form>, unknown]>([
    [{ type: "Enum", oneOf: "eu\nus" }, "eu"],
    [{ type: "Integer", minimum: "100" }, 100],
    [{ type: "Number", maximum: "-2" }, -2],
    [{ type: "Integer", maximum: "0" }, 0],
    [{ type: "Number", oneOf: "7\n8" }, 7],
    [{ type: "Boolean" }, true],
    [{ maxLength: "2" }, "A-"],
    [{ pattern: "x+" }, "…"],
  ])("has a value that fits %o", (given, value) => expect(sampleValue(form(given))).toBe(value));

  it("is valid Python for any name", () => {
    expect(emitCode(form({ type: "Boolean" }), 'a"b')).toContain('tenant_id="a\\"b"');
    expect(emitCode(form({ type: "Boolean" }), "acme")).toContain('fields={"x": True}');
  });
});

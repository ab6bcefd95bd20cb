/** The form for a custom field: its inputs, their validation, and the request. */
import type { ContractField, Field, FieldInput, FieldType, Rules, Structure } from "../../api/structure.js";
import type { Toggle } from "./draft.js";

export type RuleName = "required" | "maxLength" | "pattern" | "minimum" | "maximum" | "oneOf";
export type Key = "displayName" | "name" | "type" | "default" | "exclusive" | RuleName;

/** The values of the inputs as the user typed them. */
export interface Form extends Record<Toggle, boolean> {
  displayName: string;
  name: string;
  type: FieldType;
  required: boolean;
  maxLength: string;
  pattern: string;
  minimum: string;
  maximum: string;
  /** One value per line. */
  oneOf: string;
  /** "true" or "false" for a Boolean, and a local `2026-01-31T13:45` for a Timestamp. */
  default: string;
  exclusive: boolean;
}

export type FormError =
  | "needed"
  | "nameForm"
  | "nameLong"
  | "nameBase"
  | "nameTaken"
  | "nameRemoved"
  | "choicesNeeded"
  | "wholeAboveZero"
  | "patternLength"
  | "number"
  | "wholeNumber"
  | "range"
  | "lookAround"
  | "backReference"
  | "notAChoice"
  | "time";

export const TYPES: readonly FieldType[] = [
  "AlphaNumeric",
  "Enum",
  "Number",
  "Integer",
  "Boolean",
  "Timestamp",
  "Email",
  "IpAddress",
  "Json",
];

const TEXTS: readonly FieldType[] = ["AlphaNumeric", "Enum", "Email", "IpAddress", "Json"];
/** Names of base fields that the list of fields does not show. */
const RESERVED_NAMES = new Set(["event_id", "tenant_id", "ingested_at", "fields"]);
const MAX_NAME_LENGTH = 100;
const MAX_MATCHED_LENGTH = 4096; // maximum length of a text that a pattern is matched against

/** Returns the rules of a type, in the order of the form. */
export function rulesOf(type: FieldType): RuleName[] {
  if (type === "Enum") return ["oneOf", "required"];
  if (type === "Number" || type === "Integer") return ["required", "minimum", "maximum", "oneOf"];
  return TEXTS.includes(type) ? ["required", "maxLength", "pattern"] : ["required"];
}

/** Returns the types that a field of this type can be changed to. All are stored in the same way. */
export function compatibleTypes(type: FieldType): readonly FieldType[] {
  return TEXTS.includes(type) ? TEXTS : [type];
}

export function emptyForm(): Form {
  return {
    displayName: "",
    name: "",
    type: "AlphaNumeric",
    required: false,
    maxLength: "",
    pattern: "",
    minimum: "",
    maximum: "",
    oneOf: "",
    default: "",
    exclusive: false,
    showInTable: true,
    showInMoreInfo: true,
    downloadable: true,
    filterable: true,
    sortable: false,
  };
}

/** Returns the form for an existing field. */
export function formFromField(field: Field, contract: ContractField, exclusive: boolean): Form {
  const { rules } = contract;
  const text = (value: unknown): string => (value === undefined || value === null ? "" : String(value));
  return {
    ...emptyForm(),
    displayName: field.displayName,
    name: field.name,
    type: fieldType(field, contract),
    required: rules.required ?? false,
    maxLength: text(rules.maxLength),
    pattern: text(rules.pattern),
    minimum: text(rules.minimum),
    maximum: text(rules.maximum),
    oneOf: (rules.oneOf ?? []).join("\n"),
    default: contract.type === "Timestamp" ? localTime(text(contract.default)) : text(contract.default),
    exclusive,
    showInTable: field.showInTable,
  };
}

/** Returns the type of a field. The contract stores e-mail, IP address and JSON as text, and the display type distinguishes them. */
export function fieldType(field: Pick<Field, "displayType">, contract: Pick<ContractField, "type">): FieldType {
  const shown = field.displayType;
  const isAddress = shown === "Email" || shown === "IpAddress" || shown === "Json";
  return contract.type === "AlphaNumeric" && isAddress ? shown : contract.type;
}

/** Derives the name of a field from its label, such as `order_no` from "Order no.". */
export function nameFromLabel(displayName: string): string {
  const plain = displayName
    .toLowerCase()
    .replaceAll("ß", "ss")
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "");
  return (/^\d/.test(plain) ? `_${plain}` : plain).slice(0, MAX_NAME_LENGTH);
}

/** Validates everything that can be checked without the service. With `isNew`, the name must not exist yet. */
export function validateForm(form: Form, structure: Structure, isNew: boolean): Partial<Record<Key, FormError>> {
  const found: Partial<Record<Key, FormError>> = {};
  const setError = (key: Key, error: FormError | ""): void => {
    if (error) found[key] = error;
  };
  if (!form.displayName.trim()) found.displayName = "needed";
  if (isNew) setError("name", validateName(form.name, structure));
  const rules = rulesOf(form.type);
  const whole = form.type === "Integer";
  if (rules.includes("maxLength") && form.maxLength.trim() && !/^0*[1-9]\d{0,9}$/.test(form.maxLength.trim())) {
    found.maxLength = "wholeAboveZero";
  }
  if (rules.includes("pattern")) {
    setError("pattern", validatePattern(form.pattern));
    const bounded = /^0*[1-9]/.test(form.maxLength.trim()) && Number(form.maxLength) <= MAX_MATCHED_LENGTH;
    if (form.pattern && !bounded) found.maxLength ??= "patternLength";
  }
  if (rules.includes("minimum")) {
    for (const key of ["minimum", "maximum"] as const) setError(key, form[key].trim() ? validateNumber(form[key], whole) : "");
    const [low, high] = [form.minimum, form.maximum].map((one) => (one.trim() ? Number(one) : NaN)) as [number, number];
    if (!found.minimum && low > high) found.maximum ??= "range";
    setError("oneOf", linesOf(form.oneOf).map((one) => validateNumber(one, whole)).find(Boolean) ?? "");
    setError("default", form.default.trim() ? validateNumber(form.default, whole) : "");
  }
  if (form.type === "Enum") {
    const choices = linesOf(form.oneOf);
    if (!choices.length) found.oneOf = "choicesNeeded";
    else if (form.default && !choices.includes(form.default)) found.default = "notAChoice";
  }
  if (form.type === "Timestamp" && form.default && Number.isNaN(Date.parse(form.default))) found.default = "time";
  return found;
}

/**
 * Returns the request. For an existing field, it contains only the differences from its `previous` form. `exclusive` is
 * the contract's current value, or null where it cannot be set.
 */
export function requestFromForm(form: Form, previous: Form | null, exclusive: boolean | null): FieldInput {
  const request: FieldInput = {
    displayName: form.displayName.trim(),
    type: form.type,
    default: defaultFromForm(form),
    rules: rulesFromForm(form),
  };
  if (exclusive !== null && form.exclusive !== exclusive) request.exclusive = form.exclusive;
  if (!previous) {
    request.name = form.name;
    for (const name of ["showInTable", "showInMoreInfo", "downloadable", "filterable", "sortable"] as const) request[name] = form[name];
    if (request.default === null) delete request.default;
    return request;
  }
  const before: FieldInput = { default: null, ...requestFromForm(previous, null, null) };
  for (const name of ["displayName", "type", "default", "rules"] as const) {
    if (JSON.stringify(request[name]) === JSON.stringify(before[name])) delete request[name];
  }
  return request;
}

export function rulesFromForm(form: Form): Rules {
  const rules: Rules = {};
  const has = new Set(rulesOf(form.type));
  if (form.required) rules.required = true;
  if (has.has("maxLength") && form.maxLength.trim()) rules.maxLength = Number(form.maxLength);
  if (has.has("pattern") && form.pattern) rules.pattern = form.pattern;
  if (has.has("minimum") && form.minimum.trim()) rules.minimum = Number(form.minimum);
  if (has.has("maximum") && form.maximum.trim()) rules.maximum = Number(form.maximum);
  const values = linesOf(form.oneOf);
  if (has.has("oneOf") && values.length) rules.oneOf = form.type === "Enum" ? values : values.map(Number);
  return rules;
}

/** Returns the lines without empty or duplicate ones. */
export function linesOf(text: string): string[] {
  return [...new Set(text.split("\n").map((one) => one.trim()).filter(Boolean))];
}

function defaultFromForm(form: Form): unknown {
  const given = form.default;
  if (!given.trim()) return null;
  if (form.type === "Number" || form.type === "Integer") return Number(given);
  if (form.type === "Boolean") return given === "true";
  return form.type === "Timestamp" ? new Date(given).toISOString() : given;
}

function validateName(name: string, structure: Structure): FormError | "" {
  if (!name) return "needed";
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return "nameForm";
  if (name.length > MAX_NAME_LENGTH) return "nameLong";
  const here = structure.fields.find((field) => field.name === name);
  if (RESERVED_NAMES.has(name) || (here && !here.custom)) return "nameBase";
  if (here) return "nameTaken";
  return structure.removed.some((field) => field.name === name) ? "nameRemoved" : "";
}

/** Finds constructs that the service always rejects. */
function validatePattern(pattern: string): FormError | "" {
  const plain = pattern.replace(/\\[^1-9]/g, "").replace(/\[\^?\]?[^\]]*\]/g, "");
  if (/\(\?(?!:|P<\w+>)/.test(plain)) return "lookAround";
  return /\\[1-9]/.test(plain) ? "backReference" : "";
}

function validateNumber(text: string, whole: boolean): FormError | "" {
  const value = Number(text);
  if (!text.trim() || !Number.isFinite(value)) return "number";
  return whole && !Number.isSafeInteger(value) ? "wholeNumber" : "";
}

/** Formats a moment for a `datetime-local` input. */
function localTime(moment: string): string {
  const ms = Date.parse(moment);
  if (Number.isNaN(ms)) return "";
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** Renders groups of inputs of the form: the rules of a type, and where the field is shown. */
import { html, type TemplateResult } from "lit";

import type { SettingsTexts } from "../i18n/settings.js";
import { TOGGLES } from "../model/structure/draft.js";
import { type Form, type Key, linesOf, type RuleName, rulesOf } from "../model/structure/form.js";
import { checkbox, type InputOptions, selectInput, textArea, textInput } from "./inputs.js";

type InputFor = (key: Key, label: string, hint?: string) => InputOptions;

export function ruleInputs(form: Form, words: SettingsTexts["settings"], input: InputFor): TemplateResult[] {
  const rules = rulesOf(form.type).filter((one) => one !== "oneOf" || form.type !== "Enum"); // the choices of an Enum belong to its type
  return [...rules.map((one) => ruleInput(one, words.form, input)), defaultInput(form, words, input)];
}

export function visibilityInputs(form: Form, words: SettingsTexts["settings"], set: (what: Partial<Form>) => void): TemplateResult {
  return html`<fieldset>
    <legend>${words.form.shown}</legend>
    ${TOGGLES.map((toggle) =>
      checkbox({
        key: toggle,
        label: words.fields.hints[toggle],
        value: form[toggle],
        onInput: (value) => set({ [toggle]: value === true }),
      }),
    )}
  </fieldset>`;
}

function ruleInput(name: RuleName, words: SettingsTexts["settings"]["form"], input: InputFor): TemplateResult {
  if (name === "required") return checkbox(input(name, words.required));
  if (name === "oneOf") return textArea(input(name, words.onlyThese, words.oneOfHint));
  if (name === "pattern") return textInput(input(name, words.pattern, words.patternHint), { code: true, maxlength: 1000 });
  return textInput(input(name, words[name]), { numeric: true, short: true });
}

function defaultInput(form: Form, words: SettingsTexts["settings"], input: InputFor): TemplateResult {
  const { type } = form;
  const box = input("default", words.form.default, words.form.defaultHint);
  const nothing = ["", words.form.nothing] as const;
  if (type === "Boolean") return selectInput(box, [nothing, ["true", words.yes], ["false", words.no]]);
  if (type === "Enum") return selectInput(box, [nothing, ...linesOf(form.oneOf).map((one) => [one, one] as const)]);
  if (type === "Timestamp") return textInput({ ...box, hint: `${words.form.defaultHint} ${words.form.defaultTime}` }, { dateTime: true });
  return textInput(box, { numeric: type === "Number" || type === "Integer" });
}

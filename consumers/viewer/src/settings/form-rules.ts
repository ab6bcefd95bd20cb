/** Groups of the form's inputs: what a value must be, as fits the type, and where the field is shown. */
import { html, type TemplateResult } from "lit";

import type { Texts } from "../i18n/en/index.js";
import { TOGGLES } from "../model/structure/draft.js";
import { type Form, type Key, linesOf, type RuleName, rulesOf } from "../model/structure/form.js";
import { area, type Box, check, choose, line } from "./inputs.js";

type Input = (key: Key, label: string, hint?: string) => Box;

export function ruleInputs(form: Form, words: Texts["settings"], input: Input): TemplateResult[] {
  const rules = rulesOf(form.type).filter((one) => one !== "oneOf" || form.type !== "Enum"); // its choices are part of the type
  return [...rules.map((one) => rule(one, words.form, input)), standIn(form, words, input)];
}

export function placeInputs(form: Form, words: Texts["settings"], set: (what: Partial<Form>) => void): TemplateResult {
  return html`<fieldset>
    <legend>${words.form.shown}</legend>
    ${TOGGLES.map((one) =>
      check({ key: one, label: words.fields.hints[one], value: form[one], set: (value) => set({ [one]: value === true }) }),
    )}
  </fieldset>`;
}

function rule(name: RuleName, words: Texts["settings"]["form"], input: Input): TemplateResult {
  if (name === "required") return check(input(name, words.required));
  if (name === "oneOf") return area(input(name, words.onlyThese, words.oneOfHint));
  if (name === "pattern") return line(input(name, words.pattern, words.patternHint), { code: true, maxlength: 1000 });
  return line(input(name, words[name]), { numeric: true, short: true });
}

function standIn(form: Form, words: Texts["settings"], input: Input): TemplateResult {
  const { type } = form;
  const box = input("default", words.form.default, words.form.defaultHint);
  const nothing = ["", words.form.nothing] as const;
  if (type === "Boolean") return choose(box, [nothing, ["true", words.yes], ["false", words.no]]);
  if (type === "Enum") return choose(box, [nothing, ...linesOf(form.oneOf).map((one) => [one, one] as const)]);
  if (type === "Timestamp") return line({ ...box, hint: `${words.form.defaultHint} ${words.form.defaultTime}` }, { moment: true });
  return line(box, { numeric: type === "Number" || type === "Integer" });
}

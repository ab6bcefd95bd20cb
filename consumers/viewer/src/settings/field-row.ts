/** Describes a field in its row. */
import { html, type TemplateResult } from "lit";

import type { Field } from "../api/structure.js";
import { isOverridden, type Toggle } from "../model/structure/draft.js";
import { fieldType } from "../model/structure/form.js";
import { icon } from "../styles/icons.js";
import type { LoadedSettings } from "./loaded-settings.js";

export function describeType(field: Field, { contract, text }: LoadedSettings): string {
  const known = field.custom ? contract?.fields.find((one) => one.name === field.name) : undefined;
  return text.settings.types[known ? fieldType(field, known) : field.displayType];
}

/** Describes which scope determines how the field is shown. */
export function describeOrigin(field: Field, { tenant, text }: LoadedSettings): string {
  const { origins } = text.settings.fields;
  const isAll = tenant === null;
  if (field.custom && field.inherited === null) return isAll ? origins.ownAll : origins.own;
  if (isOverridden(field)) return isAll ? origins.changedAll : origins.tenant;
  if (field.custom) return origins.environmentField;
  return field.origin === "environment" && !isAll ? origins.environment : origins.default;
}

/** Renders a toggle that cannot be changed. */
export function readOnlyToggle(field: Field, toggle: Toggle, { text }: LoadedSettings): TemplateResult {
  const { fields, yes, no } = text.settings;
  const name = fields.toggles[toggle];
  return html`<div class="toggle" role="img" aria-label="${name}: ${field[toggle] ? yes : no}" title=${fields.hints[toggle]}>
    ${field[toggle] ? icon("check") : html`<i>–</i>`}<span>${name}</span>
  </div>`;
}

/** Returns a selector that finds the same control after its row has moved. */
export function selectorOf(control: HTMLElement): string {
  const { toggle } = control.dataset;
  const which = ["up", "down", "edit", "remove", "reset"].find((one) => control.classList.contains(one));
  return toggle ? `[data-toggle=${toggle}]` : which ? `.${which}` : "input";
}

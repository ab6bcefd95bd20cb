/** Labels of fields: the name that somebody gave a field, in every language, else the reader's language's own. */
import { en, type Texts } from "../i18n/en/index.js";
import { ownValue } from "./own-property.js";

/** Returns the field's label. */
export function fieldLabel(field: { readonly name: string; readonly displayName: string }, text: Texts): string {
  const usual = ownValue(text.states.fields, field.name);
  return usual && field.displayName === ownValue(en.states.fields, field.name) ? usual : field.displayName;
}

/** Returns the name to store for a typed label: a language's default label is stored as the default, not as a name. */
export function storedName(name: string, typed: string, text: Texts): string {
  return (typed.trim() === ownValue(text.states.fields, name) && ownValue(en.states.fields, name)) || typed;
}

/** Field labels. A custom name is used in every language, and a default name is translated. */
import { en, type Texts } from "../i18n/en/index.js";
import { ownValue } from "./own-property.js";

/** Returns the field's label. */
export function fieldLabel(field: { readonly name: string; readonly displayName: string }, text: Texts): string {
  const translated = ownValue(text.states.fields, field.name);
  return translated && field.displayName === ownValue(en.states.fields, field.name) ? translated : field.displayName;
}

/** Returns the name to store for a typed label. A translated default is stored as the default and not as a custom name. */
export function storedName(name: string, typed: string, text: Texts): string {
  return (typed.trim() === ownValue(text.states.fields, name) && ownValue(en.states.fields, name)) || typed;
}

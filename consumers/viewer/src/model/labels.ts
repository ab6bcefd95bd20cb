/** What a field is called: as somebody named it, for all languages; else in the reader's own. */
import { en, type Texts } from "../i18n/en/index.js";
import { ownValue } from "./own-property.js";

/** Its name for people. */
export function fieldLabel(field: { readonly name: string; readonly displayName: string }, text: Texts): string {
  const usual = ownValue(text.states.fields, field.name);
  return usual && field.displayName === ownValue(en.states.fields, field.name) ? usual : field.displayName;
}

/** What to keep for a name that was typed: the language's own is no name of somebody's, and goes on being everybody's own. */
export function storedName(name: string, typed: string, text: Texts): string {
  return (typed.trim() === ownValue(text.states.fields, name) && ownValue(en.states.fields, name)) || typed;
}

/** The form for an action's labels and sentences: its inputs and their validation. */
import type { CatalogueAction, Labels, NamedAction } from "../api/actions.js";

export const ACTION_KEYS = ["name", "en", "de", "sentenceEn", "sentenceDe", "attemptedEn", "attemptedDe"] as const;
export type ActionKey = (typeof ACTION_KEYS)[number];
export type ActionForm = Readonly<Record<ActionKey, string>>;
export type ActionError = "needed" | "bothNeeded" | "taken" | "invalidName" | "placeholder";

const LABEL_LENGTH = 100;
const TEMPLATE_LENGTH = 300;
export const MAX_ACTION_LENGTH: Readonly<Record<ActionKey, number>> = {
  name: 200,
  en: LABEL_LENGTH,
  de: LABEL_LENGTH,
  sentenceEn: TEMPLATE_LENGTH,
  sentenceDe: TEMPLATE_LENGTH,
  attemptedEn: TEMPLATE_LENGTH,
  attemptedDe: TEMPLATE_LENGTH,
};
/** The placeholders that the service allows in sentences. */
export const PLACEHOLDERS =
  "{actor}, {object}, {action}, {resource}, {resource_id}, {description}, {on_behalf_of}, {ip}, {source}, {metadata.<key>}, {fields.<name>}";

const KNOWN = new Set(PLACEHOLDERS.split(", "));
const TEMPLATES = [["sentenceEn", "sentenceDe"], ["attemptedEn", "attemptedDe"]] as const;

/** Returns the form for a known action, or an empty one. */
export function actionForm(action: NamedAction | undefined): ActionForm {
  return {
    name: action?.name ?? "",
    en: action?.label.en ?? "",
    de: action?.label.de ?? "",
    sentenceEn: action?.sentence?.en ?? "",
    sentenceDe: action?.sentence?.de ?? "",
    attemptedEn: action?.attempted?.en ?? "",
    attemptedDe: action?.attempted?.de ?? "",
  };
}

/** Validates everything that can be checked without the service. With `isNew`, the environment must not have labels for the action yet. */
export function validateAction(form: ActionForm, known: readonly CatalogueAction[], isNew: boolean): Partial<Record<ActionKey, ActionError>> {
  const found: Partial<Record<ActionKey, ActionError>> = {};
  for (const key of ["name", "en", "de"] as const) if (!form[key].trim()) found[key] = "needed";
  for (const [en, de] of TEMPLATES) {
    for (const [key, other] of [[en, de], [de, en]] as const) {
      if (!form[key].trim() && form[other].trim()) found[key] = "bothNeeded";
      else if (invalidPlaceholder(form[key])) found[key] = "placeholder";
    }
  }
  const name = form.name.trim();
  if (name && (name.includes("/") || !name.replaceAll(".", ""))) found.name = "invalidName";
  if (isNew && known.some((action) => action.own && action.name === name)) found.name = "taken";
  return found;
}

/** Returns the first unknown placeholder or stray brace in the template, or "" if it is valid. */
export function invalidPlaceholder(template: string): string {
  const unknown = template.match(/\{[^{}]*\}/g)?.find((found) => !KNOWN.has(found.replace(/^\{metadata\..+\}$/, "{metadata.<key>}").replace(/^\{fields\..+\}$/, "{fields.<name>}")));
  return unknown ?? template.replace(/\{[^{}]*\}/g, "").match(/[{}]/)?.[0] ?? "";
}

/** Returns the action in the form. Empty templates become null, which means the default sentence. */
export function actionFromForm(form: ActionForm): NamedAction {
  const texts = (en: ActionKey, de: ActionKey): Labels => ({ en: form[en].trim(), de: form[de].trim() });
  const [sentence, attempted] = TEMPLATES.map(([en, de]) => (form[en].trim() ? texts(en, de) : null));
  return { name: form.name.trim(), label: texts("en", "de"), sentence: sentence ?? null, attempted: attempted ?? null };
}

/** Returns the input to which the service's message about `field`, such as `actions.0.sentence.de`, belongs, or null. */
export function actionInputOf(field: string): ActionKey | null {
  const [of, last = ""] = field.split(".").slice(-2) as [string, string?];
  const name = of === "sentence" || of === "attempted" ? `${of}${last[0]?.toUpperCase()}${last.slice(1)}` : last || of;
  return ACTION_KEYS.find((key) => key === name) ?? null;
}

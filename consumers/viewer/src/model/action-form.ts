/** The form of an action's labels: its inputs and their validation. */
import type { CatalogueAction, NamedAction } from "../api/actions.js";

export type ActionKey = "name" | "en" | "de";
export type ActionForm = Readonly<Record<ActionKey, string>>;
export type ActionError = "needed" | "taken" | "invalidName";

export const ACTION_KEYS: readonly ActionKey[] = ["name", "en", "de"];
export const MAX_ACTION_LENGTH: Readonly<Record<ActionKey, number>> = { name: 200, en: 100, de: 100 };

/** Returns the form of a known action, or an empty one. */
export function actionForm(action: NamedAction | undefined): ActionForm {
  return { name: action?.name ?? "", en: action?.label.en ?? "", de: action?.label.de ?? "" };
}

/** Validates what can be checked without the service. `isNew`: the action must have no labels of the environment yet. */
export function validateAction(form: ActionForm, known: readonly CatalogueAction[], isNew: boolean): Partial<Record<ActionKey, ActionError>> {
  const found: Partial<Record<ActionKey, ActionError>> = {};
  for (const key of ACTION_KEYS) if (!form[key].trim()) found[key] = "needed";
  const name = form.name.trim();
  if (name && (name.includes("/") || !name.replaceAll(".", ""))) found.name = "invalidName";
  if (isNew && known.some((action) => action.own && action.name === name)) found.name = "taken";
  return found;
}

/** Returns the action that the form describes. */
export function actionFromForm(form: ActionForm): NamedAction {
  return { name: form.name.trim(), label: { en: form.en.trim(), de: form.de.trim() } };
}

/** Returns the input that the service's message about `field` belongs to, such as `actions.0.label.de`; null for none. */
export function actionInputOf(field: string): ActionKey | null {
  const last = field.split(".").at(-1);
  return ACTION_KEYS.find((key) => key === last) ?? null;
}

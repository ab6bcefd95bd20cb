/** Assigns the service's error messages to the form's inputs. */
import type { Problem } from "../../api/problem.js";
import type { Key, RuleName } from "./form.js";

const KEYS: readonly Key[] = ["displayName", "name", "type", "default", "exclusive"];
const RULES: readonly RuleName[] = ["required", "maxLength", "pattern", "minimum", "maximum", "oneOf"];

/** Messages by input. The key "" stands for the form as a whole. */
export type ErrorMessages = Partial<Record<Key | "", string>>;

export function errorMessages(problem: Problem): ErrorMessages {
  const messages: ErrorMessages = {};
  const add = (key: Key | "", sentence: string): void => {
    messages[key] = messages[key] ? `${messages[key]} ${sentence}` : sentence;
  };
  if (problem.errors.length) {
    for (const { field, message } of problem.errors) {
      const key = inputOf(field, message);
      add(key, sentence(key ? message : `${field}: ${message}`));
    }
    return messages;
  }
  const text = `${problem.detail.replace(/^\w+: /, "")} ${problem.fix}`.trim();
  add(inputOf(problem.field, problem.detail), sentence(text));
  return messages;
}

/** Returns the input for an error. It is a rule's input for `rules.maxLength`, or for `rules` with "`maxLength` must be …". */
function inputOf(field: string, message: string): Key | "" {
  const [first, second] = field.split(".");
  if (first === "rules") {
    const named = second ?? /`(\w+)`/.exec(message)?.[1] ?? "";
    return RULES.find((one) => one === named) ?? "";
  }
  return KEYS.find((one) => one === first) ?? "";
}

function sentence(text: string): string {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

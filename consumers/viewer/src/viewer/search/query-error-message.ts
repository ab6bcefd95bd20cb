/** The message under the query box: where the error is, and how to fix it. */
import { html, nothing, type TemplateResult } from "lit";

import type { Problem } from "../../api/problem.js";
import type { Texts } from "../../i18n/en/index.js";
import { describeQueryError } from "../../model/query-error.js";
import { icon } from "../../styles/icons.js";

/** Renders the message, with the id `wrong`. */
export function queryErrorMessage(problem: Problem, texts: Texts): TemplateResult {
  const { box } = texts.search;
  const { text, translated } = describeQueryError(problem, texts);
  return html`<p class="wrong" id="wrong" role="alert">
    ${icon("warning")}
    <span>
      <strong>${problem.column ? box.wrong(problem.column) : box.wrongAnywhere}</strong>
      <span lang=${translated ? nothing : "en"}>${text}</span>
    </span>
  </p>`;
}

/** What is wrong with a query, where it is, and what helps: under the box. */
import { html, nothing, type TemplateResult } from "lit";

import type { Problem } from "../../api/problem.js";
import type { Texts } from "../../i18n/en/index.js";
import { sentenceOf } from "../../model/query-error.js";
import { icon } from "../../styles/icons.js";

/** Its element has the id `wrong`. */
export function wrongly(wrong: Problem, texts: Texts): TemplateResult {
  const { box } = texts.search;
  const { words, own } = sentenceOf(wrong, texts);
  return html`<p class="wrong" id="wrong" role="alert">
    ${icon("warning")}
    <span>
      <strong>${wrong.column ? box.wrong(wrong.column) : box.wrongAnywhere}</strong>
      <span lang=${own ? nothing : "en"}>${words}</span>
    </span>
  </p>`;
}

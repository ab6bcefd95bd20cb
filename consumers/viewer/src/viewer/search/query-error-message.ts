/** The message under the query box: where the error is, and how to fix it. */
import { html, nothing, type TemplateResult } from "lit";

import type { Problem } from "../../api/problem.js";
import type { Texts } from "../../i18n/en/index.js";
import { describeQueryError } from "../../model/query-error.js";
import { icon } from "../../styles/icons.js";

export interface QueryErrorOptions {
  /** The field that was probably meant, and a search for it. */
  readonly correction: { readonly field: string; readonly apply: () => void } | null;
  /** The query that the list shows in place of the invalid one, or null if it shows none. */
  readonly shownQuery: string | null;
}

/** Renders the message, with the id `wrong`. */
export function queryErrorMessage(problem: Problem, texts: Texts, { correction, shownQuery }: QueryErrorOptions): TemplateResult {
  const { box } = texts.search;
  const { text, translated } = describeQueryError(problem, texts);
  const button = correction ? html` <button class="correct" @click=${correction.apply}>${box.meant(correction.field)}</button>` : nothing;
  return html`<div class="wrong">
    ${icon("warning")}
    <div>
      <p id="wrong" role="alert">
        <strong>${problem.column ? box.wrong(problem.column) : box.wrongAnywhere}</strong>
        <span lang=${translated ? nothing : "en"}>${text}</span>${button}
      </p>
      ${shownQuery === null
        ? nothing
        : html`<p class="quietly">${shownQuery ? html`${box.stillShown} <code>${shownQuery}</code>` : box.stillUnfiltered}</p>`}
    </div>
  </div>`;
}

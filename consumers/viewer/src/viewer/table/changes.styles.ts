import { css } from "lit";

import { visuallyHidden } from "../../styles/fragments.js";

export const changesStyles = css`
  :host {
    position: relative; /* contains the hidden words */
    display: block;
    container-type: inline-size;
  }
  table {
    width: 100%;
    border: 1px solid var(--line);
    border-collapse: collapse;
  }
  th,
  td {
    padding: 0.3rem 0.5rem;
    border-block-end: 1px solid var(--line);
    text-align: start;
    vertical-align: top;
    min-width: 5.5rem; /* keeps words of the usual length whole */
    overflow-wrap: anywhere;
  }
  thead th {
    background: var(--ground-2);
    color: var(--ink-2);
    font-size: 0.86em;
    font-weight: 500;
  }
  tbody th {
    font-weight: 400;
  }
  .kind {
    min-width: 0;
    white-space: nowrap;
  }
  @container (max-width: 28rem) {
    .word {
      ${visuallyHidden}
    }
  }
  .sign {
    display: inline-block;
    width: 1em;
    font-family: var(--mono);
    font-weight: 600;
  }
  .added .kind,
  ins {
    color: var(--good);
  }
  .removed .kind,
  del {
    color: var(--bad);
  }
  .changed .kind {
    color: var(--warn);
  }
  ins {
    text-decoration: underline;
    text-decoration-thickness: 2px;
  }
  .same {
    color: var(--ink-2);
  }
  td {
    font-family: var(--mono);
    font-size: 0.93em;
    white-space: pre-wrap;
  }
  .rest {
    margin-block-start: 0.35rem;
  }
  p {
    margin: 0.25rem 0;
  }
`;

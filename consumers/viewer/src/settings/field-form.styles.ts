/** Two columns: the inputs, and a preview of their result. */
import { css } from "lit";

import { choiceInput } from "../styles/fragments.js";

export const fieldFormStyles = css`
  dialog {
    width: min(60rem, calc(100vw - 2rem));
  }
  .sides {
    display: grid;
    grid-template-columns: minmax(0, 1fr) minmax(0, 1fr);
    gap: 1.25rem 1.75rem;
  }
  .inputs {
    display: flex;
    flex-direction: column;
    gap: 0.8rem;
  }
  .input {
    display: flex;
    flex-direction: column;
    gap: 0.15rem;
  }
  .input > label {
    font-weight: 500;
  }
  .input input,
  .input select,
  .input textarea {
    width: 100%;
  }
  .input input.short {
    max-width: 10rem;
  }
  textarea {
    padding-block: 0.4rem;
    resize: vertical;
  }
  .code {
    font-family: var(--mono);
    font-size: 0.95em;
  }
  [aria-invalid="true"] {
    border-color: var(--bad);
    outline-color: var(--bad);
  }
  .small:empty {
    display: none;
  }
  fieldset {
    display: flex;
    flex-direction: column;
    gap: 0.6rem;
    margin: 0;
    padding: 0.4rem 0.9rem 0.9rem;
    border: 1px solid var(--line);
    border-radius: var(--radius);
  }
  legend {
    padding: 0 0.3rem;
    font-weight: 600;
  }
  .check {
    display: flex;
    gap: 0.6rem;
  }
  .check > input {
    ${choiceInput}
    margin: 0.12rem 0 0;
  }
  .check > div {
    display: flex;
    flex-direction: column;
  }
  details {
    padding: 0.45rem 0.9rem;
    border: 1px solid var(--line);
    border-radius: var(--radius);
  }
  details[open] {
    padding-block-end: 0.9rem;
  }
  details > div {
    display: flex;
    flex-direction: column;
    gap: 0.7rem;
    margin-block-start: 0.4rem;
  }
  summary {
    border-radius: calc(var(--radius) * 0.67);
    cursor: pointer;
    font-weight: 600;
  }
  summary span {
    margin-inline-start: 0.3rem;
    font-weight: 400;
  }
  .preview th,
  .preview td {
    max-width: 10rem;
    padding-inline: 0.55rem;
  }
  h4 {
    margin: 0;
    font-size: 1em;
    font-weight: 600;
  }
  .preview {
    position: sticky;
    inset-block-start: 0;
    display: flex;
    flex-direction: column;
    align-self: start;
    gap: 0.5rem;
    min-width: 0;
  }
  pre {
    margin: 0;
    padding: 0.75rem;
    overflow: auto;
    border: 1px solid var(--line);
    border-radius: var(--radius);
    background: var(--ground-2);
    line-height: 1.5;
  }
  dialog .feet {
    position: sticky;
    inset-block-end: 0;
    margin: 0 -1.2rem -1.1rem;
    padding: 0.8rem 1.2rem;
    border-block-start: 1px solid var(--line);
    background: var(--ground);
  }
  .bad:empty {
    display: none;
  }
  @media (max-width: 46rem) {
    .sides {
      grid-template-columns: minmax(0, 1fr);
    }
    .preview {
      position: static;
    }
  }
`;

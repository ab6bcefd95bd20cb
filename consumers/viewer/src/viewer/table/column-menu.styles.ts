import { css } from "lit";

import { choiceInput, ellipsis, plainList, visuallyHidden } from "../../styles/fragments.js";

export const columnMenuStyles = css`
  .button {
    display: inline-flex;
    align-items: center;
    gap: 0.4em;
  }
  @container (max-width: 64rem) {
    :host(:not([labelled])) .label {
      ${visuallyHidden}
    }
  }
  .panel {
    display: flex;
    flex-direction: column;
    gap: 0.75rem;
    width: 19rem;
    max-width: 100%;
  }
  fieldset {
    margin: 0;
    padding: 0;
    border: 0;
  }
  legend {
    margin-block-end: 0.25rem;
    padding: 0;
    color: var(--ink-2);
    font-size: 0.86em;
  }
  ul {
    max-height: min(22rem, 45vh);
    ${plainList}
    overflow: auto;
  }
  li {
    display: flex;
    align-items: center;
    border-radius: var(--radius);
  }
  li:hover {
    background: var(--ground-2);
  }
  label {
    display: flex;
    flex: 1;
    align-items: center;
    gap: 0.5em;
    min-width: 0;
    min-height: 26px;
    cursor: pointer;
  }
  label bdi {
    ${ellipsis}
  }
  input {
    --choice-size: 1.05em;
    ${choiceInput}
    margin: 0.2em;
  }
  li button {
    min-width: 26px;
    min-height: 26px;
  }
  .choice {
    display: flex;
    flex-wrap: wrap;
    gap: 0 1rem;
  }
  .choice label {
    flex: none;
  }
  svg {
    width: 1em;
    height: 1em;
    fill: none;
    stroke: currentColor;
    stroke-width: 1.6;
    stroke-linecap: round;
    stroke-linejoin: round;
  }
  .end {
    display: flex;
    flex-direction: column;
    align-items: flex-start;
    gap: 0.35rem;
  }
  .end span {
    font-size: 0.86em;
  }
`;

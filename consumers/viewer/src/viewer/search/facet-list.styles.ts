/** Styles of the values of a field: a bar for the share of each value, its label and its count. */
import { css } from "lit";

import { choiceInput, ellipsis, plainList } from "../../styles/fragments.js";

export const facetListStyles = css`
  :host {
    display: block;
    width: 22rem;
    max-width: 100%;
  }
  .within {
    width: 100%;
    margin-bottom: 0.4rem;
  }
  ul {
    max-height: min(20rem, 45vh);
    ${plainList}
    overflow: auto;
  }
  li {
    position: relative;
    display: flex;
    align-items: center;
    border-radius: var(--radius);
  }
  li:hover,
  li:focus-within {
    background: var(--ground-3);
  }
  label {
    display: flex;
    flex: 1;
    align-items: center;
    gap: 0.5rem;
    min-width: 0;
    min-height: 1.9rem;
    padding: 0 0.4rem;
    cursor: pointer;
  }
  input[type="checkbox"] {
    --choice-size: 1rem;
    ${choiceInput}
    margin: 0;
  }
  .value {
    flex: 1;
    ${ellipsis}
    unicode-bidi: isolate;
  }
  .raw {
    display: block;
    color: var(--ink-2);
    font-size: 0.86em;
    ${ellipsis}
  }
  .none {
    font-style: italic;
  }
  .out .value {
    text-decoration: line-through;
  }
  .count {
    color: var(--ink-2);
    font-variant-numeric: tabular-nums;
  }
  .share {
    position: absolute;
    bottom: 1px;
    left: 0.4rem;
    width: calc(100% - 0.8rem);
    height: 2px;
    fill: var(--accent);
    opacity: 0.45;
    pointer-events: none;
  }
  li button {
    flex: none;
    min-height: 1.7rem;
    padding: 0 0.5rem;
    color: var(--ink-2);
    font-size: 0.86em;
  }
  li button[aria-pressed="true"] {
    border-color: var(--edge);
    background: var(--ground);
    color: var(--ink);
    font-weight: 600;
  }
  footer {
    display: flex;
    justify-content: space-between;
    gap: 0.5rem;
    margin-top: 0.4rem;
  }
  .begins {
    justify-content: space-between;
    text-align: start;
    width: 100%;
    margin-bottom: 0.2rem;
    overflow-wrap: anywhere;
    white-space: normal;
  }
  .small {
    font-size: 0.86em;
  }
  [aria-busy="true"] {
    opacity: 0.6;
  }
  p {
    margin: 0.4rem;
  }
`;

import { css } from "lit";

import { plainList } from "../styles/fragments.js";

export const actionListStyles = css`
  ul {
    ${plainList}
    margin-block-start: 0.6rem;
    border-block-start: 1px solid var(--line);
  }
  li {
    display: flex;
    align-items: center;
    justify-content: space-between;
    gap: 0.25rem 1rem;
    padding: 0.35rem 0.5rem;
    border-block-end: 1px solid var(--line);
  }
  li:last-child {
    border-block-end-color: transparent;
  }
  .name {
    display: flex;
    flex-direction: column;
    min-width: 0;
    overflow-wrap: anywhere;
  }
  .label {
    font-weight: 500;
  }
  .sub {
    display: flex;
    flex-wrap: wrap;
    column-gap: 0.5em;
    font-size: 0.86em;
  }
  .sub > * + *::before {
    content: "·" / "";
    margin-inline-end: 0.5em;
  }
  .actions {
    display: flex;
    flex: none;
  }
  .actions button {
    min-width: 1.9em;
    min-height: 1.9em;
    color: var(--ink-2);
  }
  details {
    margin-block-start: 0.6rem;
  }
  summary {
    border-radius: calc(var(--radius) * 0.67);
    cursor: pointer;
    font-weight: 500;
  }
  .none {
    margin-block-start: 0.6rem;
  }
`;

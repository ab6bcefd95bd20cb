/** A grid with a heading above each column, or cards on a narrow page. */
import { css } from "lit";

import { choiceInput, plainList } from "../styles/fragments.js";

export const fieldListStyles = css`
  .keys {
    margin-block-start: 0.35rem;
  }
  .heads,
  .group {
    display: grid;
    grid-template-columns: 5.6rem minmax(9rem, 1fr) repeat(5, 3.9rem) 6.6rem;
    align-items: center;
    column-gap: 0.25rem;
  }
  .still.heads,
  .still .group {
    grid-template-columns: minmax(9rem, 1fr) repeat(5, 3.9rem);
  }
  .heads {
    position: sticky;
    z-index: 2;
    inset-block-start: 0;
    margin-block-start: 0.6rem;
    background: var(--ground);
    padding: 0.3rem 0.5rem;
    border-block-end: 1px solid var(--line);
    color: var(--ink-2);
    font-size: 0.86em;
    text-align: center;
  }
  .heads .field {
    grid-column: 2;
    padding-inline-start: 0.4rem;
    text-align: start;
  }
  .still .field {
    grid-column: 1;
  }
  ol {
    ${plainList}
  }
  li {
    padding: 0.25rem 0.5rem 0.35rem;
    padding-inline-start: calc(0.5rem - 3px);
    border-inline-start: 3px solid transparent;
    border-block-end: 1px solid var(--line);
    background: var(--ground);
  }
  li:last-child {
    border-block-end-color: transparent;
  }
  li.changed {
    border-inline-start-color: var(--accent);
    background: var(--accent-ground);
  }
  li.added {
    border-inline-start-color: var(--good);
    animation: added 2.5s ease-out;
  }
  @keyframes added {
    from {
      background: var(--accent-ground);
    }
  }
  li[dragged] {
    position: relative;
    z-index: 1;
    outline: 2px solid var(--accent);
    outline-offset: -2px;
    border-radius: var(--radius);
    box-shadow: 0 4px 14px rgb(0 0 0 / 0.2);
  }
  .places {
    display: flex;
    align-items: center;
  }
  li button,
  li input {
    scroll-margin-block: 3rem 6.5rem; /* keeps it clear of the headings and of the bar with unsaved changes */
  }
  .places button,
  .actions button {
    min-width: 1.9em;
    min-height: 1.9em;
    color: var(--ink-2);
  }
  button[aria-disabled="true"] {
    opacity: 0.35;
    cursor: default;
  }
  .grip {
    display: grid;
    place-items: center;
    width: 1.9em;
    height: 1.9em;
    color: var(--ink-2);
    cursor: grab;
    touch-action: none;
  }
  [dragged] .grip {
    cursor: grabbing;
  }
  .name {
    display: flex;
    flex-direction: column;
    min-width: 0;
  }
  .name input {
    width: 100%;
    max-width: 100%;
    field-sizing: content; /* where supported, the line is as long as the name */
    min-height: 1.9em;
    padding: 0 0.35rem;
    border-color: transparent;
    border-block-end: 1px dashed var(--edge);
    border-radius: calc(var(--radius) * 0.67) calc(var(--radius) * 0.67) 0 0;
    background: transparent;
    font-weight: 500;
  }
  .name input:hover,
  .name input:focus {
    border: 1px solid var(--edge);
    border-radius: calc(var(--radius) * 0.67);
    background: var(--ground);
  }
  .name input[aria-invalid="true"] {
    border: 1px solid var(--bad);
  }
  @supports (field-sizing: content) {
    .name input {
      width: fit-content;
      min-width: 4rem;
    }
  }
  .name .label {
    padding-inline-start: 0.4rem;
    font-weight: 500;
    overflow-wrap: anywhere;
  }
  .name > .small {
    padding: 0.1rem 0.4rem 0;
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
  .sub .mark {
    color: var(--accent);
    font-weight: 600;
  }
  .toggle {
    display: grid;
    place-items: center;
    min-height: 2.15em;
    cursor: pointer;
  }
  .toggle > span {
    display: none;
  }
  .toggle .icon {
    color: var(--good);
  }
  .toggle i {
    color: var(--ink-2);
    font-style: normal;
  }
  input[type="checkbox"] {
    ${choiceInput}
    margin: 0;
  }
  .actions {
    display: flex;
    justify-content: flex-end;
  }
  @container (max-width: 52rem) {
    .heads {
      display: none;
    }
    ol {
      margin-block-start: 0.6rem;
      border-block-start: 1px solid var(--line);
    }
    li {
      padding: 0.6rem 0.25rem 0.6rem 0.5rem;
    }
    .group,
    .still .group {
      display: flex;
      flex-wrap: wrap;
      gap: 0.15rem 0.9rem;
    }
    .name {
      flex: 1 1 calc(100% - 7rem);
    }
    .toggle {
      display: flex;
      align-items: center;
      gap: 0.4em;
    }
    .toggle > span {
      display: inline;
    }
    .keys {
      display: none;
    }
    .actions {
      flex: 1 1 auto;
    }
  }
`;

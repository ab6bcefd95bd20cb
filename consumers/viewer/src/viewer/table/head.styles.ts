/** Styles of the table header: names, sort buttons, menus and resize handles. */
import { css } from "lit";

import { ellipsis } from "../../styles/fragments.js";

export const headStyles = css`
  .column {
    position: relative;
    display: flex;
    align-items: center;
    min-width: 0;
    height: 2.3em;
    padding-inline-start: 0.5rem;
    color: var(--ink-2);
    font-size: 0.93em;
    font-weight: 500;
  }
  .column .name {
    ${ellipsis}
  }
  .column .sort {
    min-width: 0;
    min-height: 1.9em;
    margin-inline-start: -0.4em;
    padding: 0 0.4em;
    font-weight: inherit;
    letter-spacing: inherit;
    text-transform: inherit;
  }
  .column[aria-sort="ascending"],
  .column[aria-sort="descending"] {
    color: var(--ink);
  }
  .icon {
    flex: none;
    width: 1em;
    height: 1em;
    fill: none;
    stroke: currentColor;
    stroke-width: 1.6;
    stroke-linecap: round;
    stroke-linejoin: round;
  }
  auditlane-dropdown {
    --dropdown-height: 1.8em;
    margin-inline-start: auto;
    margin-inline-end: 0.35rem;
    font-weight: 400;
  }
  auditlane-dropdown::part(button) {
    min-width: 1.8em;
    padding: 0;
  }
  .dots {
    display: inline-grid;
    place-items: center;
    width: 1.8em;
    opacity: 0.55;
  }
  .column:hover .dots,
  .column:focus-within .dots {
    opacity: 1;
  }
  .grip {
    position: absolute;
    inset-block: 0.45em;
    inset-inline-end: -0.2rem;
    width: 0.6rem;
    border-inline-end: 1px solid var(--line);
    cursor: col-resize;
    touch-action: none;
  }
  .grip:hover,
  .grip:active {
    border-inline-end: 2px solid var(--accent);
  }
  .menu {
    display: flex;
    flex-direction: column;
    gap: 0.35rem;
    min-width: 12rem;
    color: var(--ink);
    font-size: var(--size);
  }
  .menu [role="group"] {
    display: flex;
    flex-direction: column;
    padding-block-end: 0.35rem;
    border-block-end: 1px solid var(--line);
  }
  .menu > :last-child {
    padding-block-end: 0;
    border: 0;
  }
  .menu h3 {
    margin: 0 0 0.25rem 0.4rem;
    color: var(--ink-2);
    font-size: 0.86em;
    font-weight: 400;
  }
`;

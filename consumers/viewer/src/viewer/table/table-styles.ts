/** How the table looks. `--tracks` are the columns' widths, `--width` their sum, `--row` a row's height: set by the table. */
import { css } from "lit";

export const tableStyles = css`
  :host {
    display: block;
    container-type: inline-size;
    min-height: 0;
  }
  .frame {
    display: flex;
    height: 100%;
    border-block-start: 1px solid var(--line);
  }
  .main {
    position: relative;
    flex: 1 1 0;
    min-width: 0;
    height: 100%;
  }
  .grid {
    position: absolute;
    inset: 0;
    overflow: auto;
    overscroll-behavior: contain;
    scrollbar-gutter: stable;
    contain: strict;
  }
  .grid:focus-visible {
    outline-offset: -2px;
  }
  .head {
    position: sticky;
    inset-block-start: 0;
    z-index: 1;
    width: max(100%, var(--width));
    border-block-end: 1px solid var(--line);
    background: var(--ground-2);
  }
  .names,
  .row {
    display: grid;
    grid-template-columns: var(--tracks);
    padding-inline: 0.5rem;
  }
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
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }
  .column .sort {
    min-width: 0;
    min-height: 1.9em;
    margin-inline-start: -0.4em;
    padding: 0 0.4em;
    font-weight: inherit;
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
  auditlane-drop {
    --drop-height: 1.8em;
    margin-inline-start: auto;
    margin-inline-end: 0.35rem;
    font-weight: 400;
  }
  auditlane-drop::part(button) {
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
  .body {
    position: relative;
    width: max(100%, var(--width));
    height: var(--height);
  }
  .row {
    position: absolute;
    inset-block-start: 0;
    inset-inline: 0;
    align-items: center;
    height: var(--row);
    border-block-end: 1px solid var(--line);
    contain: strict;
    cursor: pointer;
  }
  .row:hover {
    background: var(--ground-2);
  }
  .row.active {
    box-shadow: inset 3px 0 0 var(--edge);
  }
  .grid:focus-visible .row.active {
    outline: 2px solid var(--accent);
    outline-offset: -2px;
  }
  .row[aria-selected="true"] {
    background: var(--accent-ground);
    box-shadow: inset 3px 0 0 var(--accent);
  }
  .cell {
    min-width: 0;
    padding-inline: 0.5rem;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }
  .code,
  time {
    font-variant-numeric: tabular-nums;
  }
  .code {
    font-family: var(--mono);
    font-size: 0.93em;
  }
  .beside,
  .none {
    color: var(--ink-2);
  }
  .number {
    display: block;
    text-align: end;
    font-variant-numeric: tabular-nums;
  }
  .exact,
  .row:hover .ago,
  .row.active .ago {
    display: none;
  }
  .row:hover .exact,
  .row.active .exact {
    display: inline;
  }
  .waits {
    cursor: default;
  }
  .waits .cell::before {
    display: block;
    width: 65%;
    height: 0.7em;
    border-radius: 0.35em;
    background: var(--ground-3);
    content: "";
  }
  .waits .cell:nth-child(even)::before {
    width: 45%;
  }
  .stale .head::after {
    position: absolute;
    inset-inline-start: 0;
    inset-block-end: -2px;
    width: 30%;
    height: 2px;
    background: var(--accent);
    animation: along 1.2s ease-in-out infinite alternate;
    content: "";
  }
  @keyframes along {
    to {
      inset-inline-start: 70%;
    }
  }
  .note {
    position: absolute;
    inset-inline: 0;
    inset-block-end: 1rem;
    z-index: 2;
    display: flex;
    justify-content: center;
    pointer-events: none;
  }
  .note.top {
    inset-block: 3rem auto;
  }
  .note > * {
    pointer-events: auto;
  }
  .note > div {
    display: flex;
    align-items: center;
    gap: 0.75rem;
    max-width: calc(100% - 2rem);
    padding: 0.4rem 0.75rem;
    border: 1px solid var(--line);
    border-radius: var(--radius);
    background: var(--ground);
    box-shadow: 0 4px 16px rgb(0 0 0 / 0.18);
  }
  .note p {
    margin: 0;
  }
  .whole {
    position: absolute;
    inset: 2.6em 0 0;
    z-index: 1;
    overflow: auto;
    background: var(--ground);
  }
  auditlane-details {
    flex: 0 0 clamp(22rem, 42%, 44rem);
    min-width: 0;
    border-inline-start: 1px solid var(--line);
  }
  @container (max-width: 50rem) {
    .open .main {
      display: none;
    }
    auditlane-details {
      flex: 1 1 0;
      border: 0;
    }
  }
`;

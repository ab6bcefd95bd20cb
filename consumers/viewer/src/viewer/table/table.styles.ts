/** The table sets `--tracks` (the widths of the columns), `--width` (their sum) and `--row` (the height of a row). */
import { css } from "lit";

import { ellipsis } from "../../styles/fragments.js";

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
  /* Shades an edge behind which columns are hidden. The shade becomes stronger the further the table can scroll. */
  @supports (animation-timeline: --sideways) {
    .main {
      timeline-scope: --sideways;
    }
    .grid {
      scroll-timeline: --sideways x;
    }
    .edge {
      position: absolute;
      inset-block: 0;
      z-index: 2;
      width: 1.1rem;
      opacity: 0;
      pointer-events: none;
      animation: beyond linear both !important; /* even with reduced motion, since nothing moves by itself */
      animation-timeline: --sideways !important;
    }
    .edge.end {
      inset-inline-end: 0;
      background: linear-gradient(to left, rgb(0 0 0 / 0.2), transparent);
      animation-direction: reverse !important;
    }
    .edge.start {
      inset-inline-start: 0;
      background: linear-gradient(to right, rgb(0 0 0 / 0.2), transparent);
    }
  }
  @keyframes beyond {
    from {
      opacity: 0;
    }
    12%,
    to {
      opacity: 1;
    }
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
    background: var(--ground);
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
  .row.marked {
    border-block-end: 2px solid var(--accent);
  }
  .row.marked::after {
    position: absolute;
    inset-block-end: 0;
    inset-inline-start: 0.6rem;
    padding-inline: 0.4em;
    border-radius: 3px 3px 0 0;
    background: var(--accent);
    color: var(--on-accent);
    font-size: 0.7rem;
    line-height: 0.75rem;
    content: attr(aria-description);
  }
  .cell {
    min-width: 0;
    padding-inline: 0.5rem;
    ${ellipsis}
  }
  /* Pinned columns stay in place while the others scroll beneath them. The table sets their positions. */
  .pinned {
    position: sticky;
    z-index: 1;
    align-self: stretch;
    background: inherit;
  }
  .cell.pinned {
    align-content: center;
  }
  .column.pinned {
    background: var(--ground-2);
  }
  .pinned:nth-child(1) {
    inset-inline-start: var(--pin-0);
  }
  .pinned:nth-child(2) {
    inset-inline-start: var(--pin-1);
  }
  .pinned:nth-child(3) {
    inset-inline-start: var(--pin-2);
  }
  .pinned:nth-child(4) {
    inset-inline-start: var(--pin-3);
  }
  .pinned:not(:has(+ .pinned)) {
    border-inline-end: 1px solid var(--line);
  }
  .loading {
    cursor: default;
  }
  .loading .cell::before {
    display: block;
    width: 65%;
    height: 0.7em;
    border-radius: 0.35em;
    background: var(--ground-3);
    content: "";
  }
  .loading .cell:nth-child(even)::before {
    width: 45%;
  }
  .row[aria-disabled="true"] {
    opacity: 0.45;
    cursor: default;
    transition: opacity 0s 300ms; /* avoids flicker if the content arrives immediately */
  }
  .coming .head::after {
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
  .whole .note {
    inset-block: 1.5rem auto;
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

/** Styles of the groups. The chart reads the colours of its layers from custom properties. */
import { css, unsafeCSS } from "lit";

import { ellipsis } from "../../styles/fragments.js";

/** The colours of the values in light and dark, by rank. Neighbours differ. */
const PALETTE = [
  ["#1f5fd0", "#7fb0ff"],
  ["#c2500a", "#ffa366"],
  ["#1a7043", "#6fd09b"],
  ["#7c3aed", "#b79cff"],
  ["#0b7a8f", "#5cc8dc"],
  ["#be185d", "#ff8fbf"],
  ["#856300", "#e0bf4f"],
  ["#6b4423", "#c9a27e"],
  ["#4d7c0f", "#a9d65c"],
  ["#a21caf", "#ec9bf5"],
] as const;

/** The number of values that have their own colour. */
export const COLOURS = PALETTE.length;

const properties = PALETTE.map(([light, dark], index) => `--group-${index + 1}: light-dark(${light}, ${dark});`).join("\n");

export const groupsStyles = css`
  :host {
    ${unsafeCSS(properties)}
    --group-others: light-dark(#868f9c, #7c8798);
    --group-none: light-dark(#b9c0ca, #515c6b);
    --plot-height: 156px;
    display: block;
    container-type: inline-size;
    margin-bottom: 0.25rem;
  }
  .head {
    display: flex;
    flex-wrap: wrap;
    gap: 0 0.75rem;
    min-height: 1.5em;
    font-size: 0.9em;
  }
  .read {
    margin-inline-start: auto;
    font-variant-numeric: tabular-nums;
  }
  .panes {
    display: grid;
    grid-template-columns: minmax(0, 3fr) minmax(24rem, 2fr);
    gap: 1rem;
    min-height: 156px;
  }
  .panes[aria-busy="true"] {
    opacity: 0.7; /* marked as old, but still readable */
  }
  .list {
    max-height: clamp(156px, 25vh, 300px);
    overflow: auto;
    border: 1px solid var(--line);
    border-radius: var(--radius);
  }
  table {
    width: 100%;
    border-collapse: collapse;
    font-size: 0.92em;
  }
  thead th,
  tfoot :is(th, td) {
    position: sticky;
    background: var(--ground-2);
    font-weight: 600;
  }
  thead th {
    top: 0;
    z-index: 1;
    text-align: start;
  }
  tfoot :is(th, td) {
    bottom: 0;
  }
  th,
  td {
    height: 1.9em;
    padding: 0 0.6em;
    text-align: start;
  }
  th:first-child {
    ${ellipsis}
    width: 99%;
    min-width: 6rem;
    max-width: 0;
  }
  th[scope="row"] {
    padding-inline-start: 0.2em;
    font-weight: 400;
  }
  tfoot th[scope="row"] {
    padding-inline-start: 0.6em;
    font-weight: 600;
  }
  th button,
  .name {
    display: flex;
    align-items: center;
    gap: 0.5em;
    max-width: 100%;
    min-height: 24px;
    padding: 0 0.4em;
  }
  .value {
    ${ellipsis}
    unicode-bidi: isolate;
  }
  .swatch {
    flex: none;
    width: 10px;
    height: 10px;
  }
  .number {
    text-align: end;
    white-space: nowrap;
    font-variant-numeric: tabular-nums;
  }
  thead th.number {
    text-align: end;
  }
  .number button {
    min-height: 24px;
    min-width: 24px;
    padding: 0 0.3em;
    margin-inline-end: -0.3em;
    justify-content: end;
    text-decoration: underline dotted;
    text-underline-offset: 0.2em;
  }
  tbody tr:hover {
    background: var(--ground-3);
  }
  .added,
  .vanished {
    font-weight: 600;
  }
  p {
    margin: 0;
    padding: 1.6rem 0;
    text-align: center;
  }
  @container (max-width: 30rem) {
    th,
    td {
      padding: 0 0.35em;
    }
  }
  @container (max-width: 50rem) {
    .panes {
      grid-template-columns: minmax(0, 1fr);
      gap: 0.5rem;
    }
  }
`;

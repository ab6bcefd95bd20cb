/** The histogram's styles. The chart reads the bars' colours from custom properties. */
import { css } from "lit";

import { visuallyHidden } from "../../styles/fragments.js";

export const histogramStyles = css`
  :host {
    --partial: color-mix(in srgb, var(--accent) 45%, var(--ground));
    display: block;
  }
  header {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0 0.75rem;
    min-height: 1.7rem;
    font-size: 0.9em;
  }
  .fold {
    min-width: 1.7rem;
    min-height: 1.7rem;
    margin-inline-end: -0.5rem;
    padding: 0;
    justify-content: center;
  }
  .headline {
    color: var(--ink-2);
  }
  .read {
    margin-inline-start: auto;
    font-variant-numeric: tabular-nums;
  }
  #chart {
    min-height: 64px;
  }
  [aria-busy="true"] .plot {
    opacity: 0.55;
  }
  .frame {
    position: relative;
  }
  .plot {
    height: 64px;
    overflow: hidden;
  }
  .keys {
    position: absolute;
    inset: 0;
    overflow: hidden;
    border-radius: var(--radius);
    pointer-events: none;
  }
  .keys span {
    ${visuallyHidden}
  }
  .keys:focus-visible {
    outline-offset: -1px;
  }
  .plot .u-over {
    cursor: crosshair;
  }
  .plot .u-select {
    background: color-mix(in srgb, var(--accent) 22%, transparent);
    box-shadow: inset 0 0 0 1px var(--accent);
  }
  .probe {
    display: none;
  }
  .empty,
  p {
    margin: 0;
    padding: 1.6rem 0;
    text-align: center;
  }
`;

import { css } from "lit";

export const histogramStyles = css`
  :host {
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
  .empty,
  p {
    margin: 0;
    padding: 1.6rem 0;
    text-align: center;
  }
`;

import { css } from "lit";

import { ellipsis } from "../styles/fragments.js";

export const sampleTableStyles = css`
  .sample {
    position: relative; /* contains the visually hidden text */
    overflow-x: auto;
    border: 1px solid var(--line);
    border-radius: var(--radius);
  }
  .sample table {
    width: 100%;
    border-collapse: collapse;
    font-size: 0.93em;
  }
  .sample th,
  .sample td {
    max-width: 15rem;
    padding: 0.4rem 0.7rem;
    ${ellipsis}
    text-align: start;
  }
  .sample th {
    background: var(--ground-2);
    font-weight: 600;
  }
  .sample td {
    border-block-start: 1px solid var(--line);
  }
  .sample .fresh {
    background: var(--accent-ground);
  }
  .sample .new {
    margin-inline-start: 0.4rem;
    padding: 0.05rem 0.4rem;
    border: 1px solid var(--accent);
    border-radius: 999px;
    color: var(--accent);
    font-size: 0.83em;
  }
  .sample .bar {
    display: block;
    width: 60%;
    min-width: 2.5rem;
    height: 0.55rem;
    margin-block: 0.4em;
    border-radius: 999px;
    background: var(--ground-3);
  }
`;

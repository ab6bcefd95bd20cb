/** How cells look, in a `.row`. */
import { css } from "lit";

export const cellStyles = css`
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
`;

/** Styles of cells, inside a `.row`. */
import { css } from "lit";

export const cellsStyles = css`
  .code,
  time {
    font-variant-numeric: tabular-nums;
  }
  .code {
    font-family: var(--mono);
    font-size: 0.93em;
  }
  .initials {
    display: inline-grid;
    place-items: center;
    width: 2em;
    height: 2em;
    margin-inline-end: 0.5em;
    border-radius: 50%;
    background: var(--ground-3);
    color: var(--ink-2);
    font-size: 0.75em;
    vertical-align: middle;
  }
  .initials::before {
    content: attr(data-initials);
  }
  .beside,
  .none {
    color: var(--ink-2);
  }
  /* Two values share the line. Neither is truncated below its own share to make room for the other. */
  .pair {
    display: flex;
    gap: 0.4em;
  }
  .pair > bdi {
    flex: 1 0 calc(40% - 0.2em);
    max-width: max-content;
    overflow: hidden;
    text-overflow: ellipsis;
  }
  .pair > .beside {
    flex-basis: calc(60% - 0.2em);
  }
  /* A label gets more room than the name of its action next to it. */
  .named > bdi {
    flex-basis: calc(62% - 0.2em);
  }
  .named > .beside {
    flex-basis: calc(38% - 0.2em);
  }
  .parted {
    white-space: pre;
  }
  .start {
    display: inline-block; /* stays inline, so that copying the row yields one word */
    max-width: calc(100% - 11ch);
    overflow: hidden;
    text-overflow: ellipsis;
    vertical-align: bottom;
  }
  .number {
    display: block;
    text-align: end;
    font-variant-numeric: tabular-nums;
  }
`;

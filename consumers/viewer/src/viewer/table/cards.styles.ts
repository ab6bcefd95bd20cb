/** Styles of rows that are shown as cards: the sentence above its outcome and time. */
import { css } from "lit";

import { ellipsis } from "../../styles/fragments.js";

export const cardsStyles = css`
  .cards .names {
    display: flex;
    justify-content: space-between;
    padding-inline: 0.6rem;
  }
  .cards .column {
    padding: 0;
  }
  .cards .row {
    display: grid;
    grid-template: 1fr auto / minmax(0, 1fr) auto;
    gap: 0 0.75rem;
    align-content: center;
    padding: 9px 0.6rem; /* cardHeight adds 20 px for this padding and the border */
  }
  .cards .cell {
    padding: 0;
  }
  .cards .row .what {
    display: -webkit-box;
    grid-column: 1 / -1;
    overflow: hidden;
    overflow-wrap: anywhere;
    white-space: normal;
    -webkit-box-orient: vertical;
    -webkit-line-clamp: var(--card-lines);
    line-clamp: var(--card-lines);
  }
  .cards .row .when {
    ${ellipsis}
    color: var(--ink-2);
    font-size: 0.93em;
  }
  .cards .row:not(.loading) .cell:nth-child(2) {
    display: flex;
    gap: 0.75rem;
  }
  .cards + .edge,
  .cards ~ .edge {
    display: none;
  }
`;

import { css } from "lit";

import { ellipsis } from "../../styles/fragments.js";

export const chipsStyles = css`
  ul {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.35rem;
    margin: 0.5rem 0 0;
    padding: 0;
    list-style: none;
  }
  li {
    max-width: 100%;
  }
  .chip {
    display: inline-flex;
    align-items: center;
    max-width: 100%;
    border: 1px solid var(--line);
    border-radius: 999px;
    background: var(--ground-2);
  }
  .words {
    ${ellipsis}
    padding-inline-start: 0.7rem;
    unicode-bidi: isolate;
  }
  .chip button {
    min-width: 1.75rem;
    min-height: 1.75rem;
    padding: 0;
    border-radius: 999px;
    color: var(--ink-2);
  }
  .clear {
    min-height: 1.85rem;
  }
`;

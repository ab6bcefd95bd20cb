import { css } from "lit";

import { ellipsis } from "../../styles/fragments.js";

export const viewsStyles = css`
  :host {
    display: block;
  }
  .line {
    display: flex;
    align-items: end;
    gap: 0.5rem;
    border-block-end: 1px solid var(--line);
  }
  [role="tablist"] {
    position: relative; /* contains the hidden texts, which would otherwise widen the page */
    display: flex;
    flex: 0 1 auto;
    gap: 0.15rem;
    min-width: 0;
    padding: 3px 3px 0; /* room for the focus ring */
    overflow-x: auto;
    scrollbar-width: none;
  }
  @media (pointer: fine) {
    [role="tablist"] {
      scrollbar-width: thin;
    }
  }
  [role="tab"] {
    flex: none;
    max-width: 16rem;
    border-color: transparent;
    border-block-end: 2px solid transparent;
    border-end-start-radius: 0;
    border-end-end-radius: 0;
    background: transparent;
    color: var(--ink-2);
  }
  [role="tab"][aria-selected="true"] {
    border-block-end-color: var(--accent);
    color: var(--ink);
    font-weight: 600;
  }
  [role="tab"] bdi {
    ${ellipsis}
  }
  [role="tab"] .icon {
    flex: none;
  }
  .changed {
    color: var(--warn);
  }
  .actions {
    display: flex;
    flex: none;
    align-items: center;
    gap: 0.25rem;
    padding-block-end: 2px;
  }
  .update {
    min-height: 1.9em;
  }
  .menu {
    display: flex;
    flex-direction: column;
  }
  .menu button {
    justify-content: start;
  }
  .notice {
    margin-block-start: 0.35rem;
  }
  .told {
    margin: 0.25rem 0 0;
    overflow-wrap: anywhere;
  }
  .told:empty {
    margin: 0;
  }
`;

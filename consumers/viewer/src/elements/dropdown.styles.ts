import { css } from "lit";

import { popoverPanel } from "../styles/fragments.js";

export const dropdownStyles = css`
  :host {
    display: inline-block;
  }
  button {
    min-height: var(--dropdown-height, 2.15em);
  }
  button[aria-expanded="true"] {
    background: var(--ground-3);
  }
  slot[name="button"]::slotted(*) {
    display: inline-flex;
  }
  [popover] {
    ${popoverPanel}
    width: max-content;
    max-width: calc(100vw - 1rem);
    padding: 0.75rem;
  }
  [popover]:focus {
    outline: none;
  }
`;

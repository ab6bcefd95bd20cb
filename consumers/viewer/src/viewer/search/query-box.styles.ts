/** The mirror, which underlines errors, lies under the input. Its characters are at the same positions. */
import { css } from "lit";

import { ellipsis, popoverPanel } from "../../styles/fragments.js";

export const queryBoxStyles = css`
  :host {
    display: block;
  }
  .frame {
    display: flex;
    align-items: center;
    gap: 0.25rem;
    min-height: 2.5rem;
    padding: 0 0.2rem 0 0.6rem;
    border: 1px solid var(--edge);
    border-radius: var(--radius);
    background: var(--ground);
  }
  .frame:focus-within {
    border-color: var(--accent);
    box-shadow: 0 0 0 1px var(--accent);
  }
  .icon {
    flex: none;
    color: var(--ink-2);
  }
  .field {
    position: relative;
    flex: 1;
    min-width: 0;
    height: 2.2rem;
    font-family: var(--mono);
    font-size: 0.95em;
  }
  .field input,
  .mirror {
    position: absolute;
    inset: 0;
    width: 100%;
    margin: 0;
    padding: 0 0.35rem;
    border: 0;
    background: transparent;
    font: inherit;
    line-height: 2.2rem;
    letter-spacing: 0;
    white-space: pre;
  }
  .field input:focus {
    outline: none;
  }
  .field input::placeholder {
    color: var(--ink-2);
    font-family: var(--font);
    opacity: 1;
  }
  .mirror {
    overflow: hidden;
    color: transparent;
    pointer-events: none;
    user-select: none;
  }
  mark {
    background: none;
    color: transparent;
    text-decoration: underline wavy var(--bad) 1.5px;
    text-decoration-skip-ink: none;
    text-underline-offset: 3px;
  }
  .frame > button {
    min-height: 2rem;
  }
  [popover] {
    ${popoverPanel}
    padding: 0.25rem;
  }
  .group {
    padding: 0.35rem 0.5rem 0.15rem;
    color: var(--ink-2);
    font-size: 0.82em;
  }
  [role="option"] {
    display: flex;
    align-items: center;
    gap: 0.75rem;
    min-height: 1.8rem;
    padding: 0 0.5rem;
    border-radius: calc(var(--radius) - 2px);
    cursor: pointer;
  }
  [role="option"]:hover {
    background: var(--ground-2);
  }
  [role="option"][aria-selected="true"] {
    background: var(--accent-ground);
    box-shadow: inset 2px 0 0 var(--accent);
  }
  .label {
    ${ellipsis}
    unicode-bidi: isolate;
  }
  .note {
    flex: 1;
    ${ellipsis}
    color: var(--ink-2);
    font-family: var(--mono);
    font-size: 0.88em;
  }
  .count {
    color: var(--ink-2);
    font-variant-numeric: tabular-nums;
  }
  .wrong {
    display: flex;
    gap: 0.4rem;
    margin: 0.4rem 0 0;
    color: var(--bad);
  }
  .wrong p {
    margin: 0;
    overflow-wrap: anywhere;
  }
  .correct {
    min-height: 1.7em;
    padding: 0 0.5em;
    color: var(--ink);
  }
  .wrong .icon {
    margin-top: 0.15rem;
    color: inherit;
  }
`;

/** Styles for every element: text, buttons, inputs, focus, and content only for screen readers. */
import { css } from "lit";

import { visuallyHidden } from "./fragments.js";

export const baseStyles = css`
  :host {
    box-sizing: border-box;
    color: var(--ink);
    font: var(--size) / 1.45 var(--font);
  }
  *,
  *::before,
  *::after {
    box-sizing: inherit;
  }
  [hidden] {
    display: none !important;
  }
  button,
  input,
  select,
  textarea {
    font: inherit;
    color: inherit;
  }
  button,
  a.button {
    display: inline-flex;
    align-items: center;
    gap: 0.4em;
    min-height: 2.15em;
    padding: 0 0.75em;
    border: 1px solid var(--edge);
    border-radius: var(--radius);
    background: var(--ground);
    cursor: pointer;
    white-space: nowrap;
  }
  a.button {
    color: inherit;
    text-decoration: none;
  }
  button:hover:not(:disabled, [aria-disabled="true"]) {
    background: var(--ground-3);
  }
  button:disabled,
  button[aria-disabled="true"] {
    opacity: 0.55;
    cursor: default;
  }
  button.primary,
  a.primary {
    border-color: var(--accent);
    background: var(--accent);
    color: var(--on-accent);
  }
  button.primary:hover:not(:disabled, [aria-disabled="true"]) {
    background: color-mix(in srgb, var(--accent) 88%, var(--ink));
  }
  button.quiet {
    border-color: transparent;
    background: transparent;
  }
  button.icon {
    justify-content: center;
    min-width: 2.15em;
    padding: 0;
  }
  input,
  select,
  textarea {
    min-height: 2.15em;
    padding: 0 0.6em;
    border: 1px solid var(--edge);
    border-radius: var(--radius);
    background: var(--ground);
  }
  :focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: 1px;
  }
  a:not(.button) {
    color: var(--accent);
  }
  code,
  pre {
    font-family: var(--mono);
    font-size: 0.93em;
  }
  .unseen {
    ${visuallyHidden}
  }
  .quietly {
    color: var(--ink-2);
  }
  @media (prefers-reduced-motion: reduce) {
    *,
    *::before,
    *::after {
      animation: none !important;
      transition: none !important;
      scroll-behavior: auto !important;
    }
  }
`;

import { css } from "lit";

export const liveSwitchStyles = css`
  .track {
    position: relative;
    width: 1.9em;
    height: 1.1em;
    border: 1px solid var(--edge);
    border-radius: 1em;
    background: var(--ground-3);
  }
  .track::after {
    position: absolute;
    inset-block: 1px;
    inset-inline-start: 1px;
    aspect-ratio: 1;
    border-radius: 50%;
    background: var(--ink-2);
    content: "";
    transition: translate 120ms;
  }
  [aria-checked="true"] .track {
    border-color: var(--accent);
    background: var(--accent);
  }
  [aria-checked="true"] .track::after {
    background: var(--on-accent);
    translate: 0.8em 0;
  }
  .waiting .track,
  .failed .track {
    border-style: dashed;
  }
`;

import { css } from "lit";

import { ellipsis } from "../../styles/fragments.js";

export const rangeMenuStyles = css`
  :host {
    display: inline-block;
  }
  .zone {
    color: var(--ink-2);
    font-size: 0.86em;
  }
  .label {
    ${ellipsis}
    max-width: 24rem;
  }
  .panel {
    display: flex;
    flex-wrap: wrap;
    gap: 1rem;
    max-width: 48rem;
  }
  .presets {
    display: flex;
    flex: 0 0 10rem;
    flex-direction: column;
    gap: 2px;
  }
  .presets button {
    justify-content: start;
  }
  .presets button[aria-pressed="true"] {
    background: var(--accent-ground);
    font-weight: 600;
  }
  .custom {
    flex: 1 1 20rem;
    min-width: 0;
  }
  @media (max-width: 40rem) {
    .presets {
      display: grid;
      flex: 1 1 100%;
      grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr));
    }
    .presets button {
      padding: 0 0.4em;
    }
  }
  auditlane-zone {
    flex: 1 1 100%;
    padding-top: 0.6rem;
    border-top: 1px solid var(--line);
  }
`;

import { css } from "lit";

export const rangeMenuStyles = css`
  :host {
    display: inline-block;
  }
  .zone {
    color: var(--ink-2);
    font-size: 0.86em;
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
  fieldset {
    display: flex;
    flex: 1 1 100%;
    flex-wrap: wrap;
    gap: 0.2rem 1rem;
    margin: 0;
    padding: 0.6rem 0 0;
    border: 0;
    border-top: 1px solid var(--line);
  }
  legend {
    float: left;
    padding: 0;
    line-height: 1.6rem;
  }
  fieldset label {
    display: inline-flex;
    align-items: center;
    gap: 0.4rem;
    min-height: 1.6rem;
    cursor: pointer;
  }
  fieldset input {
    min-height: 0;
    margin: 0;
    accent-color: var(--accent);
  }
`;

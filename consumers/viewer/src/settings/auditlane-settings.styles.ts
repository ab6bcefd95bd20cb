/** Lays the sections out in a column. The bar with unsaved changes stays at the bottom of the view. */
import { css } from "lit";

export const auditlaneSettingsStyles = css`
  :host {
    display: block;
    container-type: inline-size;
    background: var(--ground);
    color-scheme: light dark;
  }
  :host([theme="light"]) {
    color-scheme: light;
  }
  :host([theme="dark"]) {
    color-scheme: dark;
  }
  .root {
    display: flex;
    flex-direction: column;
    gap: 1rem;
    max-width: 66rem;
    min-height: 20rem;
    margin-inline: auto;
    padding: 1rem;
  }
  h2 {
    display: flex;
    flex-wrap: wrap;
    align-items: baseline;
    gap: 0 0.6em;
    margin: 0 0 0.15rem;
    font-size: 1.2em;
    font-weight: 600;
    letter-spacing: -0.01em;
  }
  h2:focus {
    outline: none; /* not a control, and focused only to move the reading position */
  }
  h2 .tenant {
    color: var(--ink-2);
    font-size: 0.83em;
    font-weight: 400;
    letter-spacing: 0;
    overflow-wrap: anywhere;
  }
  auditlane-settings-bar {
    position: sticky;
    z-index: 2;
    inset-block-end: 0.75rem;
  }
  .skeleton {
    display: flex;
    flex-direction: column;
    gap: 0.75rem;
  }
  .skeleton div {
    border-radius: var(--radius);
    background: var(--ground-3);
    animation: breathe 1.6s ease-in-out infinite;
  }
  .skeleton .title {
    width: 14rem;
    max-width: 60%;
    height: 2.15em;
  }
  .skeleton .switch {
    height: 5.5rem;
  }
  .skeleton .row {
    height: 1.5rem;
    margin-block: 0.4rem;
  }
  @keyframes breathe {
    50% {
      opacity: 0.55;
    }
  }
  @container (max-width: 40rem) {
    .root {
      gap: 0.75rem;
      padding: 0.6rem;
    }
  }
`;

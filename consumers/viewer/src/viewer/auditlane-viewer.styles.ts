/** Lays the viewer's elements out in a column, from 360 px up; the table takes the remaining height. */
import { css } from "lit";

import { ellipsis, visuallyHidden } from "../styles/fragments.js";

export const auditlaneViewerStyles = css`
  :host {
    display: block;
    container-type: inline-size;
    height: 100%;
    min-height: 30rem;
    overflow: auto;
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
    gap: 0.75rem;
    height: 100%;
    min-height: 30rem;
    padding: 0.75rem 1rem 0;
    /* Repeated for the content: a host's \`* { color: … }\` overrides it on the element itself. */
    color: var(--ink);
    font: var(--size) / 1.45 var(--font);
  }
  .head {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.5rem 0.75rem;
  }
  h2 {
    display: flex;
    flex: 1 1 auto;
    align-items: baseline;
    gap: 0.6em;
    min-width: 0;
    margin: 0;
    font-size: 1.2em;
    font-weight: 600;
    letter-spacing: -0.01em;
  }
  h2 .tenant {
    ${ellipsis}
    color: var(--ink-2);
    font-size: 0.83em;
    font-weight: 400;
    letter-spacing: 0;
  }
  .tools {
    display: flex;
    flex-wrap: wrap;
    gap: 0.4rem;
  }
  auditlane-table {
    flex: 1 1 0;
    min-height: 16rem;
    margin-inline: -1rem;
  }
  .state {
    flex: 1 1 0;
  }
  @container (max-width: 40rem) {
    .root {
      gap: 0.6rem;
      padding-inline: 0.6rem;
    }
    auditlane-table {
      min-height: 22rem;
      margin-inline: -0.6rem;
    }
    .tools .label {
      ${visuallyHidden}
    }
  }
`;

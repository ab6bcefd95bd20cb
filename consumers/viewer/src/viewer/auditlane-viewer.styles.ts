/** Lays the elements of the viewer out in a column, from 360 px up. The table takes the remaining height. */
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
    gap: 0.5rem;
    height: 100%;
    min-height: 30rem;
    padding: 0.5rem 1rem 0;
    /* Repeated for the content, since \`* { color: … }\` in the host page overrides it on the element itself. */
    color: var(--ink);
    font: var(--size) / 1.45 var(--font);
  }
  .skip:not(:focus) {
    ${visuallyHidden}
  }
  .skip:focus {
    position: absolute;
    z-index: 3;
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
    position: relative; /* contains the hidden labels, which would otherwise widen the page */
    display: flex;
    flex-wrap: wrap;
    gap: 0.4rem;
  }
  .menu {
    display: flex;
    flex-direction: column;
    align-items: stretch;
    gap: 0.25rem;
    min-width: 12rem;
  }
  .menu > button,
  .menu ::part(button) {
    justify-content: start;
    width: 100%;
    border-color: transparent;
  }
  @container (max-width: 64rem) {
    .tools > button > .label {
      ${visuallyHidden}
    }
  }
  auditlane-views {
    min-height: calc(2.15em + 4px); /* reserved until the tabs are loaded */
  }
  auditlane-table {
    flex: 1 1 0;
    min-height: 16rem;
    margin-inline: -1rem;
  }
  .state {
    flex: 1 1 0;
  }
  auditlane-shortcut-help,
  auditlane-view-dialog {
    position: absolute; /* takes up no space in the column */
  }
  @media print {
    :host {
      container-type: normal;
      height: auto;
      min-height: 0;
      overflow: visible;
      color-scheme: light;
    }
    .root {
      display: block;
      height: auto;
    }
    .root > :not(.head, auditlane-table),
    .tools {
      display: none;
    }
  }
  @container (max-width: 40rem) {
    .root {
      padding-inline: 0.6rem;
    }
    .head,
    .tools {
      flex-wrap: nowrap;
    }
    .head {
      gap: 0.25rem;
    }
    .tools {
      flex: none;
      gap: 0.25rem;
    }
    .tools > button,
    .tools > ::part(button) {
      padding-inline: 0.5em;
    }
    h2 {
      ${ellipsis}
      display: block;
      flex: 1 1 0;
      font-size: 1.05em;
    }
    h2 .tenant {
      margin-inline-start: 0.6em;
    }
    /* The details fill the whole viewer. */
    .reading > :not(.head, auditlane-table, auditlane-shortcut-help, auditlane-view-dialog),
    .reading .tools {
      display: none;
    }
    .reading h2 {
      ${visuallyHidden}
    }
    .reading {
      gap: 0;
      padding-block: 0;
    }
    auditlane-table {
      min-height: 22rem;
      margin-inline: -0.6rem;
    }
  }
`;

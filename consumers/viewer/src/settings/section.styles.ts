/** The styles shared by the elements of the settings: sections, notes and dialogs. */
import { css } from "lit";

export const sectionStyles = css`
  :host {
    display: block;
  }
  h3 {
    margin: 0;
    font-size: 1.07em;
    font-weight: 600;
  }
  p {
    margin: 0;
    max-width: 72ch;
  }
  .card {
    padding: 0.9rem 1rem 1rem;
    border: 1px solid var(--line);
    border-radius: var(--radius);
    background: var(--ground);
  }
  .top {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    justify-content: space-between;
    gap: 0.5rem 1rem;
  }
  .top > div:first-child {
    flex: 1 1 16rem;
  }
  .ways {
    display: flex;
    flex-wrap: wrap;
    gap: 0.5rem;
  }
  ul {
    margin: 0;
    padding-inline-start: 1.2rem;
  }
  code {
    overflow-wrap: anywhere;
  }
  details > * {
    box-sizing: border-box; /* not inherited through the browser's internal slot */
  }
  .bad {
    color: var(--bad);
  }
  .small {
    font-size: 0.93em;
  }
`;

export const noteStyles = css`
  .note {
    display: flex;
    align-items: flex-start;
    gap: 0.6rem;
    padding: 0.6rem 0.85rem;
    border: 1px solid var(--line);
    border-inline-start: 3px solid var(--warn);
    border-radius: var(--radius);
    background: var(--ground-2);
  }
  .note > .icon {
    flex: none;
    margin-block-start: 0.2em;
    color: var(--warn);
  }
  .note > div {
    display: flex;
    flex: 1;
    flex-direction: column;
    gap: 0.5rem;
    min-width: 0;
    overflow-wrap: anywhere;
  }
  .note .head {
    font-weight: 600;
  }
`;

export const dialogStyles = css`
  dialog {
    width: min(30rem, calc(100vw - 2rem));
    max-height: calc(100dvh - 2rem);
    padding: 0;
    border: 1px solid var(--line);
    border-radius: calc(var(--radius) * 1.5);
    background: var(--ground);
    color: var(--ink);
    box-shadow: 0 12px 48px rgb(0 0 0 / 0.3);
  }
  dialog::backdrop {
    background: rgb(0 0 0 / 0.45);
  }
  dialog h3 {
    overflow-wrap: anywhere;
  }
  dialog .inside {
    display: flex;
    flex-direction: column;
    gap: 0.75rem;
    padding: 1.1rem 1.2rem;
  }
  dialog .feet {
    display: flex;
    flex-wrap: wrap;
    justify-content: flex-end;
    gap: 0.5rem;
  }
`;

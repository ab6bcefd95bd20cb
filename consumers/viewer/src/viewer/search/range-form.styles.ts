import { css } from "lit";

export const rangeFormStyles = css`
  form {
    display: flex;
    flex-wrap: wrap;
    gap: 0.75rem 1.25rem;
  }
  calendar-range::part(button) {
    min-width: 1.9rem;
    min-height: 1.9rem;
    padding: 0;
    border: 1px solid var(--edge);
    border-radius: var(--radius);
    background: var(--ground);
    color: var(--ink);
  }
  calendar-range::part(heading) {
    font-size: 1em;
  }
  calendar-range::part(container) {
    gap: 0.25rem;
  }
  calendar-month {
    --color-accent: var(--accent);
    --color-text-on-accent: var(--on-accent);
  }
  /* The calendar's own heading includes the year. */
  calendar-month::part(heading) {
    display: none;
  }
  calendar-month::part(th) {
    color: var(--ink-2);
    font-weight: 400;
  }
  calendar-month::part(button) {
    width: 2rem;
    height: 2rem;
    border-radius: var(--radius);
  }
  calendar-month::part(range-inner) {
    border-radius: 0;
    background: var(--accent-ground);
    color: var(--ink);
  }
  calendar-month::part(today) {
    font-weight: 700;
    text-decoration: underline;
  }
  .ends {
    display: flex;
    flex: 1 1 12rem;
    flex-direction: column;
    gap: 0.75rem;
  }
  fieldset {
    display: flex;
    flex-wrap: wrap;
    gap: 0.2rem 0.5rem;
    margin: 0;
    padding: 0;
    border: 0;
  }
  legend {
    padding: 0 0 0.15rem;
    font-weight: 600;
  }
  fieldset input {
    flex: 1 0 8.75rem;
    min-width: min-content;
    padding: 0 0.4rem;
  }
  .hint {
    flex: 1 0 100%;
    font-size: 0.86em;
  }
  .wrong {
    margin: 0;
    color: var(--bad);
  }
  .told {
    margin: 0;
  }
  .primary {
    position: sticky;
    inset-block-end: 0;
    align-self: end;
  }
`;

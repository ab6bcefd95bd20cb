import { css } from "lit";

import { choiceInput } from "../../styles/fragments.js";

export const downloadDialogStyles = css`
  dialog {
    width: min(44rem, calc(100vw - 1.5rem));
    max-height: min(52rem, calc(100dvh - 1.5rem));
    padding: 0;
    overflow: hidden;
    border: 1px solid var(--line);
    border-radius: calc(var(--radius) * 1.5);
    background: var(--ground);
    color: var(--ink);
    box-shadow: 0 12px 40px rgb(0 0 0 / 0.28);
  }
  dialog[open] {
    display: flex;
    flex-direction: column;
  }
  dialog::backdrop {
    background: rgb(10 14 20 / 0.45);
  }
  .inside {
    display: flex;
    flex: 1 1 auto;
    flex-direction: column;
    gap: 0.9rem;
    min-height: 0;
    padding: 0.4rem 1.1rem 1.1rem;
    overflow: auto;
  }
  .inside > * {
    flex: none;
  }
  .head {
    display: flex;
    flex: none;
    align-items: center;
    justify-content: space-between;
    padding: 0.6rem 1.1rem 0.4rem;
  }
  .foot {
    display: flex;
    flex: none;
    flex-direction: column;
    gap: 0.5rem;
    max-height: 60%;
    padding: 0.7rem 1.1rem;
    overflow: auto;
    border-block-start: 1px solid var(--line);
  }
  .foot auditlane-problem {
    place-items: start;
    padding: 0;
  }
  summary {
    width: fit-content;
    min-height: 24px;
    font-weight: 600;
    cursor: pointer;
  }
  .more {
    display: flex;
    flex-direction: column;
    gap: 0.9rem;
    padding-block-start: 0.6rem;
  }
  h3,
  p {
    margin: 0;
  }
  h3 {
    font-size: 1.15em;
  }
  fieldset {
    min-width: 0;
    margin: 0;
    padding: 0;
    border: 0;
  }
  legend {
    padding: 0;
    margin-block-end: 0.35rem;
    font-weight: 600;
  }
  .choices {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(9.2rem, 1fr));
    gap: 0.5rem;
  }
  .choice {
    display: flex;
    gap: 0.5rem;
    padding: 0.55rem 0.65rem;
    border: 1px solid var(--line);
    border-radius: var(--radius);
    cursor: pointer;
  }
  .choice:has(:checked) {
    border-color: var(--accent);
    background: var(--accent-ground);
  }
  .choice > span {
    min-width: 0;
    overflow-wrap: anywhere;
  }
  .choice span span,
  .choice strong {
    display: block;
  }
  input[type="radio"] {
    --choice-size: 1.05rem;
    ${choiceInput}
    margin: 0.15em 0 0;
  }
  .line {
    display: flex;
    flex-wrap: wrap;
    gap: 0.3rem 1.2rem;
    margin-block-end: 0.3rem;
  }
  .radio {
    display: flex;
    align-items: center;
    gap: 0.45rem;
    min-width: 0;
    max-width: 100%;
    min-height: 24px;
    cursor: pointer;
  }
  .radio input {
    flex: none;
    margin: 0;
  }
  select {
    flex: 0 1 auto;
    min-width: 0;
    max-width: 100%;
  }
  .small {
    color: var(--ink-2);
    font-size: 0.93em;
  }
  dl {
    display: grid;
    grid-template-columns: max-content 1fr;
    gap: 0.25rem 1rem;
    margin: 0;
    padding: 0.65rem 0.8rem;
    border-radius: var(--radius);
    background: var(--ground-2);
  }
  dt {
    color: var(--ink-2);
  }
  dd {
    min-width: 0;
    margin: 0;
    overflow-wrap: anywhere;
    font-variant-numeric: tabular-nums;
  }
  .outcome:empty {
    display: none;
  }
  .outcome,
  .hint {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.5rem;
  }
  .hint {
    flex-wrap: nowrap;
  }
  .outcome .icon,
  .hint .icon {
    flex: none;
  }
  .outcome .icon {
    color: var(--good);
  }
  .hint .icon {
    color: var(--warn);
  }
  progress {
    flex: 1 1 8rem;
    height: 6px;
    accent-color: var(--accent);
  }
  .ways {
    display: flex;
    flex-wrap: wrap;
    gap: 0.5rem;
  }
`;

import { css } from "lit";

export const detailsStyles = css`
  :host {
    display: block;
    height: 100%;
    background: var(--ground);
  }
  section {
    display: flex;
    flex-direction: column;
    height: 100%;
  }
  section:focus {
    outline: none;
  }
  header {
    display: flex;
    flex: none;
    align-items: center;
    gap: 0.15rem;
    padding: 0.15rem 0.4rem;
    border-block-end: 1px solid var(--line);
    background: var(--ground-2);
    font-size: 0.93em;
  }
  header .ways {
    display: flex;
    flex: 1;
    flex-wrap: wrap;
    justify-content: flex-end;
  }
  header button {
    min-height: 1.9em;
    padding: 0 0.5em;
  }
  header button.icon {
    padding: 0;
  }
  .refused {
    flex: none;
    margin: 0;
    padding: 0.35rem 1rem;
    border-block-end: 1px solid var(--line);
    color: var(--bad);
  }
  .all {
    flex: 1;
    min-height: 0;
    padding: 0.75rem 1rem 1.5rem;
    overflow: auto;
    overscroll-behavior: contain;
  }
  .all:focus-visible {
    outline-offset: -2px;
  }
  .conflicting {
    margin: 0.6rem 0;
    padding: 0.45rem 0.7rem;
    border-inline-start: 3px solid var(--warn);
    background: var(--ground-2);
  }
  .title {
    margin: 0;
    font-size: 1.15em;
    font-weight: 600;
    overflow-wrap: anywhere;
  }
  .title .words {
    font-weight: 400;
    white-space: pre-wrap;
  }
  .initials {
    display: inline-grid;
    place-items: center;
    width: 2em;
    height: 2em;
    margin-inline-end: 0.5em;
    border: 1px solid var(--line);
    border-radius: 50%;
    background: var(--ground-2);
    color: var(--ink-2);
    font-size: 0.8em;
    vertical-align: middle;
  }
  .description {
    margin: 0.35rem 0 0;
    overflow-wrap: anywhere;
    white-space: pre-line;
  }
  .explore {
    display: flex;
    flex-wrap: wrap;
    gap: 0.15rem;
    margin: 0.35rem 0 0 -0.5em;
    font-size: 0.93em;
  }
  .short {
    margin: 0.15rem 0 0;
    color: var(--ink-2);
    overflow-wrap: anywhere;
  }
  dl {
    margin-block-start: 1rem;
  }
  h4 + dl {
    margin-block-start: 0;
  }
  .marks {
    display: flex;
    flex-wrap: wrap;
    gap: 0.25rem 1rem;
    margin: 0.25rem 0 0.75rem;
  }
  h4 {
    margin: 1.25rem 0 0.25rem;
    color: var(--ink-2);
    font-size: 0.93em;
    font-weight: 600;
  }
  .line {
    display: grid;
    grid-template-columns: minmax(6rem, 9rem) 1fr;
    gap: 0.75rem;
    border-block-end: 1px solid var(--line);
  }
  dt {
    padding-block: 0.35rem;
    color: var(--ink-2);
    overflow-wrap: anywhere;
  }
  dd {
    display: flex;
    align-items: flex-start;
    min-width: 0;
    margin: 0;
  }
  .value {
    flex: 1;
    min-width: 0;
    padding-block: 0.35rem;
    overflow-wrap: anywhere;
    white-space: pre-line;
  }
  .long {
    max-height: 16rem;
    overflow: auto;
  }
  .code {
    font-family: var(--mono);
    font-size: 0.93em;
  }
  .value > .code {
    white-space: pre-wrap;
  }
  .exact {
    display: none;
  }
  .acts {
    display: flex;
    flex: none;
    opacity: 0;
  }
  .acts button {
    min-width: 24px;
    width: 26px;
    min-height: 26px;
    margin-block: 0.15rem;
    color: var(--ink-2);
  }
  .line:hover .acts,
  .line:focus-within .acts {
    opacity: 1;
  }
  @media (hover: none) {
    .acts {
      opacity: 1;
    }
  }
  details {
    margin-block-start: 1.25rem;
  }
  summary {
    width: max-content;
    padding-block: 0.2rem;
    color: var(--ink-2);
    font-size: 0.93em;
    font-weight: 600;
    cursor: pointer;
  }
  pre {
    max-height: 28rem;
    margin: 0.35rem 0 0;
    padding: 0.6rem 0.75rem;
    overflow: auto;
    border: 1px solid var(--line);
    border-radius: var(--radius);
    background: var(--ground-2);
    white-space: pre-wrap;
    overflow-wrap: anywhere;
  }
`;

import { css } from "lit";

export const firstUseStyles = css`
  :host {
    display: block;
  }
  .box {
    display: flex;
    flex-direction: column;
    gap: 0.6rem;
    padding: 0.9rem 1rem 1rem;
    border: 1px solid var(--line);
    border-radius: var(--radius);
    background: var(--ground-2);
  }
  .top {
    display: flex;
    align-items: center;
    justify-content: space-between;
  }
  h3,
  p {
    margin: 0;
  }
  h3 {
    font-size: 1.1em;
  }
  p {
    max-width: 70ch;
  }
  .code {
    position: relative;
  }
  .code button {
    position: absolute;
    inset-block-start: 0.5rem;
    inset-inline-end: 0.5rem;
  }
  pre {
    overflow: auto;
    max-height: 15rem;
    margin: 0;
    padding: 0.75rem;
    border: 1px solid var(--line);
    border-radius: var(--radius);
    background: var(--ground);
    line-height: 1.5;
  }
  wa-tab-panel {
    --padding: 0.6rem 0 0;
  }
  wa-tab::part(base) {
    padding: 0.45rem 0.9rem;
  }
  .test {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.5rem 0.9rem;
  }
`;

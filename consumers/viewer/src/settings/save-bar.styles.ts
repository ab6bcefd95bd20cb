import { css } from "lit";

export const saveBarStyles = css`
  .bar {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.5rem 1rem;
    padding: 0.6rem 1rem;
    border: 1px solid var(--edge);
    border-radius: var(--radius);
    background: var(--ground);
    box-shadow: 0 4px 18px rgb(0 0 0 / 0.16);
  }
  .bar.done {
    color: var(--good);
  }
  details {
    flex: 1 1 14rem;
    min-width: 0;
  }
  summary {
    border-radius: calc(var(--radius) * 0.67);
    cursor: pointer;
    font-weight: 600;
  }
  ul {
    max-height: 9rem;
    margin-block-start: 0.35rem;
    overflow: auto;
    overflow-wrap: anywhere;
  }
`;

import { css } from "lit";

export const emptyStyles = css`
  :host {
    display: grid;
    place-items: center;
    padding: 2rem 1rem;
  }
  .box {
    display: flex;
    flex-direction: column;
    align-items: center;
    gap: 0.6rem;
    max-width: 36rem;
    text-align: center;
  }
  .box > .icon {
    width: 1.75rem;
    height: 1.75rem;
    color: var(--ink-2);
  }
  p {
    margin: 0;
    overflow-wrap: anywhere;
  }
  .head {
    font-size: 1.1em;
    font-weight: 600;
  }
  code {
    padding: 0.1em 0.35em;
    border-radius: calc(var(--radius) * 0.67);
    background: var(--ground-3);
  }
  .ways {
    display: flex;
    flex-wrap: wrap;
    justify-content: center;
    gap: 0.5rem;
    align-items: center;
    margin-block-start: 0.4rem;
  }
  .offer code {
    overflow: hidden;
    max-width: 20rem;
    text-overflow: ellipsis;
  }
`;

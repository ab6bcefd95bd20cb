import { css } from "lit";

export const problemNoticeStyles = css`
  :host {
    display: grid;
    place-items: center;
    padding: 1.5rem 1rem;
  }
  .box {
    display: flex;
    flex-direction: column;
    align-items: flex-start;
    gap: 0.6rem;
    max-width: 34rem;
  }
  .head {
    display: flex;
    align-items: center;
    gap: 0.5rem;
    margin: 0;
    font-weight: 600;
  }
  :host([whole]) .head {
    font-size: 1.15em;
  }
  .head .icon {
    flex: none;
    color: var(--warn);
  }
  p {
    margin: 0;
  }
  .details {
    color: var(--ink-2);
    font-size: 0.93em;
    overflow-wrap: anywhere;
  }
  .ways {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.5rem 0.75rem;
    margin-block-start: 0.3rem;
  }
`;

import { css } from "lit";

export const revisionHistoryStyles = css`
  summary {
    cursor: pointer;
    border-radius: calc(var(--radius) * 0.67);
    font-weight: 600;
  }
  summary span {
    margin-inline-start: 0.4rem;
    font-weight: 400;
  }
  ol {
    margin: 0.6rem 0 0;
    padding: 0;
    list-style: none;
  }
  li {
    display: grid;
    grid-template-columns: minmax(9rem, 13rem) 1fr;
    gap: 0.2rem 1rem;
    padding: 0.5rem 0;
    border-block-start: 1px solid var(--line);
  }
  li > div {
    min-width: 0;
    overflow-wrap: anywhere;
  }
  .feet > * {
    margin-block-start: 0.6rem;
  }
  @container (max-width: 36rem) {
    li {
      grid-template-columns: 1fr;
    }
  }
`;

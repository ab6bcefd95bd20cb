import { css } from "lit";

import { ellipsis, plainList } from "../../styles/fragments.js";

export const filterMenuStyles = css`
  .panel {
    width: 20rem;
    max-width: 100%;
  }
  .find {
    width: 100%;
    margin-bottom: 0.4rem;
  }
  .fields {
    max-height: min(22rem, 50vh);
    overflow: auto;
  }
  h3 {
    margin: 0.5rem 0 0.15rem;
    color: var(--ink-2);
    font-size: 0.86em;
    font-weight: 400;
  }
  ul {
    ${plainList}
  }
  li button {
    justify-content: space-between;
    width: 100%;
    padding: 0 0.4rem;
  }
  header {
    display: flex;
    align-items: center;
    gap: 0.5rem;
    margin-bottom: 0.4rem;
  }
  header strong {
    ${ellipsis}
  }
  .count {
    color: var(--ink-2);
    font-variant-numeric: tabular-nums;
  }
  li bdi {
    ${ellipsis}
  }
  .added:empty {
    margin: 0;
  }
  .picked {
    color: var(--accent);
    font-size: 0.86em;
  }
  p {
    margin: 0.4rem;
  }
  .access {
    display: flex;
    gap: 0.5rem;
    margin-top: 0.5rem;
    padding: 0.5rem 0.4rem 0;
    border-top: 1px solid var(--line);
  }
  .access .small {
    display: block;
    font-size: 0.86em;
  }
`;

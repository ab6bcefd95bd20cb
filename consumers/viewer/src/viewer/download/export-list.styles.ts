import { css } from "lit";

import { plainList } from "../../styles/fragments.js";

export const exportListStyles = css`
  h4 {
    margin: 0 0 0.4rem;
    font-size: 1em;
  }
  ul {
    ${plainList}
  }
  li {
    display: grid;
    grid-template-columns: 1fr auto;
    align-items: center;
    gap: 0.15rem 0.75rem;
    padding: 0.5rem 0;
    border-block-start: 1px solid var(--line);
  }
  .what {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.15rem 0.6rem;
    min-width: 0;
  }
  .what .icon {
    flex: none;
  }
  .done .what > .icon {
    color: var(--good);
  }
  .failed .what > .icon {
    color: var(--bad);
  }
  .small {
    color: var(--ink-2);
    font-size: 0.93em;
  }
  .acts {
    display: flex;
    gap: 0.4rem;
  }
  progress {
    grid-column: 1 / -1;
    width: 100%;
    height: 6px;
    accent-color: var(--accent);
  }
  .why {
    grid-column: 1 / -1;
    margin: 0;
    overflow-wrap: anywhere;
  }
`;

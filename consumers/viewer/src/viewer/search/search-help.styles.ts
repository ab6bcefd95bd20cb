import { css } from "lit";

import { plainList } from "../../styles/fragments.js";

export const searchHelpStyles = css`
  .help {
    max-width: 30rem;
  }
  h3,
  p {
    margin: 0 0 0.4rem;
    font-size: 1em;
  }
  ul {
    ${plainList}
  }
  li {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0 0.75rem;
    min-height: 2rem;
  }
  li button {
    min-height: 1.7rem;
    padding: 0 0.4rem;
    border-color: var(--line);
    font-family: var(--mono);
    font-size: 0.93em;
  }
  .mark {
    font-weight: 600;
  }
`;

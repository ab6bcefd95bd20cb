import { css } from "lit";

export const removedFieldsStyles = css`
  ul {
    margin-block-start: 0.5rem;
    padding: 0;
    list-style: none;
  }
  li {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    justify-content: space-between;
    gap: 0.25rem 1rem;
    padding: 0.35rem 0;
    border-block-start: 1px solid var(--line);
  }
  li > span {
    overflow-wrap: anywhere;
  }
  li code {
    margin-inline-start: 0.5rem;
    color: var(--ink-2);
  }
`;

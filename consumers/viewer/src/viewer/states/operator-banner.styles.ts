import { css } from "lit";

export const operatorBannerStyles = css`
  .visit {
    display: flex;
    flex-wrap: wrap;
    gap: 0.25rem 1rem;
    margin: 0;
    padding: 0.3rem 0.75rem;
    border-radius: var(--radius);
    background: var(--ground-3);
  }
  .visit a {
    color: inherit;
  }
`;

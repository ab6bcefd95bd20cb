import { css } from "lit";

export const skeletonStyles = css`
  .skeleton {
    display: flex;
    flex: 1 1 0;
    flex-direction: column;
    gap: 0.75rem;
    min-height: 0;
    overflow: hidden;
  }
  .skeleton div {
    flex: none;
    border-radius: var(--radius);
    background: var(--ground-3);
    animation: breathe 1.6s ease-in-out infinite;
  }
  .skeleton .title {
    width: 14rem;
    max-width: 60%;
    height: 2.15em;
  }
  .skeleton .tiles {
    height: 3.4rem;
  }
  .skeleton .search {
    height: 2.15em;
  }
  .skeleton .histogram {
    height: 5rem;
  }
  .skeleton .row {
    height: 1.1rem;
    margin-block: 0.35rem;
  }
  @keyframes breathe {
    50% {
      opacity: 0.55;
    }
  }
`;

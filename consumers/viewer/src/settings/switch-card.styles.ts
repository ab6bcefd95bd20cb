import { css } from "lit";

export const switchCardStyles = css`
  .state {
    display: flex;
    align-items: center;
    gap: 0.45rem;
    font-weight: 600;
  }
  .state .icon {
    color: var(--good);
  }
  .state.off .icon {
    color: var(--warn);
  }
  .card > div + p {
    margin-block-start: 0.35rem;
  }
`;

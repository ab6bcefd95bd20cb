import { css } from "lit";

export const conflictStyles = css`
  dl,
  dd {
    margin: 0;
  }
  dt {
    font-weight: 500;
  }
`;

import { css } from "lit";

export const conflictNoticeStyles = css`
  dl,
  dd {
    margin: 0;
  }
  dt {
    font-weight: 500;
  }
`;

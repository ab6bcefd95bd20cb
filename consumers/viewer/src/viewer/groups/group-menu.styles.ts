import { css } from "lit";

export const groupMenuStyles = css`
  [aria-current] {
    font-weight: 600;
  }
`;

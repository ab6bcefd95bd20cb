import { css } from "lit";

export const badgesStyles = css`
  .mark {
    display: inline-flex;
    align-items: center;
    gap: 0.4em;
    color: var(--mark, var(--ink));
    white-space: nowrap;
  }
  .mark svg {
    flex: none;
    width: 1.05em;
    height: 1.05em;
    fill: none;
    stroke: currentColor;
    stroke-width: 1.6;
    stroke-linecap: round;
    stroke-linejoin: round;
  }
  .mark .full {
    fill: currentColor;
  }
  .mark .on {
    stroke: var(--ground);
  }
  .s-Info,
  .s-Low,
  .o-unknown {
    --mark: var(--ink-2);
  }
  .o-success {
    --mark: var(--good);
  }
  .s-Medium,
  .conflict,
  .o-denied {
    --mark: var(--warn);
  }
  .s-High,
  .s-Critical,
  .s-Error,
  .o-failure {
    --mark: var(--bad);
  }
  .s-Critical,
  .s-Error {
    font-weight: 600;
  }
`;

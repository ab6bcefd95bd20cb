/** Styles of `Plot`. The chart reads its colours from custom properties. */
import { css } from "lit";

import { visuallyHidden } from "../../styles/fragments.js";

export const plotStyles = css`
  :host {
    --partial: color-mix(in srgb, var(--accent) 45%, var(--ground));
  }
  .frame {
    position: relative;
  }
  .plot {
    height: var(--plot-height, 64px);
    overflow: hidden;
  }
  .keys {
    position: absolute;
    inset: 0;
    overflow: hidden;
    border-radius: var(--radius);
    pointer-events: none;
  }
  .keys span {
    ${visuallyHidden}
  }
  .keys:focus-visible {
    outline-offset: -1px;
  }
  .plot .u-over {
    cursor: crosshair;
  }
  .plot .u-select {
    background: color-mix(in srgb, var(--accent) 22%, transparent);
    box-shadow: inset 0 0 0 1px var(--accent);
  }
  .probe {
    display: none;
  }
`;

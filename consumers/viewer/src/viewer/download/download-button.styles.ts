import { css } from "lit";

import { visuallyHidden } from "../../styles/fragments.js";

export const downloadButtonStyles = css`
  :host {
    display: contents;
  }
  auditlane-download-dialog {
    position: absolute; /* takes up no space among the buttons */
  }
  .count {
    padding: 0 0.45em;
    border-radius: 999px;
    background: var(--accent-ground);
    color: var(--accent);
    font-size: 0.86em;
    font-variant-numeric: tabular-nums;
  }
  @container (max-width: 40rem) {
    .label {
      ${visuallyHidden}
    }
  }
`;

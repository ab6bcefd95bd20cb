import { css } from "lit";

import { choiceInput } from "../../styles/fragments.js";

export const zoneChoiceStyles = css`
  :host {
    display: block;
  }
  fieldset {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.2rem 1rem;
    margin: 0;
    padding: 0;
    border: 0;
  }
  legend {
    padding: 0 0 0.15rem;
    font-weight: 600;
  }
  label {
    display: inline-flex;
    align-items: center;
    gap: 0.4em;
    min-height: 26px;
    cursor: pointer;
  }
  input[type="radio"] {
    ${choiceInput}
    margin: 0.2em;
  }
  input[list] {
    width: 15rem;
    max-width: 100%;
  }
  .wrong {
    flex: 1 0 100%;
    margin: 0;
    color: var(--bad);
  }
`;

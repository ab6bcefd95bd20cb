import { css } from "lit";

import { choiceInput } from "../../styles/fragments.js";

export const viewDialogStyles = css`
  dialog {
    width: min(26rem, calc(100vw - 1.5rem));
    padding: 1.25rem;
    border: 1px solid var(--line);
    border-radius: calc(var(--radius) * 1.5);
    background: var(--ground);
    color: var(--ink);
  }
  dialog::backdrop {
    background: rgb(10 14 20 / 0.45);
  }
  form,
  .field {
    display: flex;
    flex-direction: column;
  }
  form {
    gap: 0.9rem;
  }
  .field {
    gap: 0.25rem;
  }
  h3,
  p {
    margin: 0;
    overflow-wrap: anywhere;
  }
  .choice {
    display: flex;
    align-items: center;
    gap: 0.5rem;
    min-height: 26px;
  }
  .choice input {
    ${choiceInput}
  }
  .problem {
    color: var(--bad);
  }
  .feet {
    display: flex;
    flex-wrap: wrap;
    justify-content: end;
    gap: 0.5rem;
  }
`;

/** A one-line notice about the whole element: an icon, a sentence and an action. `idle` hides an element that has no notice. */
import { css } from "lit";

export const noticeStyles = css`
  :host {
    display: block;
  }
  :host([idle]) {
    display: none;
  }
  .notice {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.35rem 0.75rem;
    padding: 0.4rem 0.75rem;
    border: 1px solid var(--line);
    border-inline-start: 3px solid var(--warn);
    border-radius: var(--radius);
    background: var(--ground-2);
  }
  .notice .icon {
    flex: none;
    color: var(--warn);
  }
  .notice p {
    flex: 1 1 14rem;
    margin: 0;
  }
`;

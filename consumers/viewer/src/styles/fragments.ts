/** Declarations shared by the styles of several elements. Include one in a rule, as in `ul { ${plainList} }`. */
import { css } from "lit";

/** Hides an element from sight but not from screen readers. */
export const visuallyHidden = css`
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
`;

/** Removes the margins and markers of a list. */
export const plainList = css`
  margin: 0;
  padding: 0;
  list-style: none;
`;

/** Truncates text to one line, ending in "…". */
export const ellipsis = css`
  overflow: hidden;
  text-overflow: ellipsis;
  white-space: nowrap;
`;

/** Sizes a checkbox or radio button. `--choice-size` is its width and height. */
export const choiceInput = css`
  flex: none;
  width: var(--choice-size, 1.15rem);
  height: var(--choice-size, 1.15rem);
  min-height: 0;
  accent-color: var(--accent);
`;

/** A panel in the top layer. */
export const popoverPanel = css`
  position: fixed;
  inset: auto;
  margin: 0;
  overflow: auto;
  border: 1px solid var(--line);
  border-radius: var(--radius);
  background: var(--ground);
  color: var(--ink);
  box-shadow: 0 8px 28px rgb(0 0 0 / 0.22);
`;

import { css } from "lit";

import { ellipsis, plainList } from "../../styles/fragments.js";

export const tilesStyles = css`
  :host {
    display: block;
    container-type: inline-size;
  }
  ul {
    ${plainList}
  }
  section {
    display: flex;
    align-items: start;
    gap: 0.25rem;
  }
  .fold {
    flex: none;
    min-width: 24px;
    min-height: 24px;
    margin-inline-start: -0.35rem;
  }
  .tiles,
  .failed {
    flex: 1;
    min-width: 0;
  }
  .tiles {
    --numbers: 3;
    display: grid;
    grid-template-columns: repeat(var(--numbers), minmax(7rem, 1fr)) repeat(2, minmax(12rem, 2fr));
    gap: 0.6rem;
  }
  .chosen {
    --numbers: 2;
  }
  .tile {
    min-width: 0;
    min-height: 5.1rem;
    padding: 0.5rem 0.75rem;
    border: 1px solid var(--line);
    border-radius: var(--radius);
    background: var(--ground);
  }
  .list {
    min-height: calc(72px + 1.25em + 1rem + 2px); /* the height of three rows, so that nothing moves while there are fewer */
  }
  button.tile {
    display: flex;
    flex-direction: column;
    align-items: start;
    justify-content: start;
    gap: 0;
    width: 100%;
    height: 100%;
    text-align: start;
    white-space: normal;
  }
  .name,
  h3 {
    margin: 0;
    color: var(--ink-2);
    font-size: 0.86em;
    font-weight: 400;
  }
  .number {
    font-size: 1.6em;
    font-weight: 600;
    font-variant-numeric: tabular-nums;
    letter-spacing: -0.01em;
    line-height: 1.25;
  }
  .some {
    color: var(--bad);
  }
  .note {
    color: var(--ink-2);
    font-size: 0.82em;
  }
  .compared {
    font-size: 0.86em;
    font-variant-numeric: tabular-nums;
  }
  .compared .note {
    font-size: 1em;
  }
  li button {
    position: relative;
    justify-content: space-between;
    gap: 0.75rem;
    width: 100%;
    min-height: 24px;
    padding: 0 0.35rem;
    margin-inline: -0.35rem;
    box-sizing: content-box;
  }
  .value {
    ${ellipsis}
    unicode-bidi: isolate;
  }
  .count {
    color: var(--ink-2);
    font-variant-numeric: tabular-nums;
  }
  .waiting {
    display: inline-block;
    width: 3.5rem;
    height: 0.8em;
    border-radius: 3px;
    background: var(--ground-3);
  }
  [aria-busy="true"] .number,
  [aria-busy="true"] .value {
    opacity: 0.7; /* marked as old, but still readable */
  }
  .failed {
    display: grid;
    place-items: center;
    min-height: 5.1rem;
    margin: 0;
    border: 1px dashed var(--line);
    border-radius: var(--radius);
  }
  @container (max-width: 60rem) {
    .tiles {
      grid-template-columns: repeat(6, 1fr);
    }
    .tiles > * {
      grid-column: span 2;
    }
    .tiles > .list,
    .chosen > * {
      grid-column: span 3;
    }
  }
  @container (max-width: 40rem) {
    .tiles > .list,
    .note {
      display: none;
    }
    .tile {
      min-height: 0;
      padding: 0.2rem 0.6rem;
    }
    .number {
      font-size: 1.15em;
    }
  }
  @media (max-height: 32rem) {
    :host {
      display: none;
    }
  }
`;

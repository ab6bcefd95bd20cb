import { css } from "lit";

export const searchStyles = css`
  :host {
    display: block;
  }
  .line {
    display: flex;
    flex-wrap: wrap;
    align-items: start;
    gap: 0.5rem;
  }
  auditlane-query {
    flex: 1 1 22rem;
    min-width: 0;
  }
  auditlane-filter,
  auditlane-range {
    --dropdown-height: 2.5rem;
  }
  .invalid-range {
    display: flex;
    align-items: center;
    gap: 0.5rem;
    margin: 0.5rem 0 0;
    overflow-wrap: anywhere;
  }
  .invalid-range .icon {
    flex: none;
    color: var(--warn);
  }
`;

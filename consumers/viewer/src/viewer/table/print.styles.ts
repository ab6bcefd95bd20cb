/** Styles of the printed table, which replaces the rows on screen. */
import { css } from "lit";

export const printStyles = css`
  .print {
    display: none;
  }
  @media print {
    :host {
      contain: none;
      container-type: normal;
    }
    .frame {
      display: none;
    }
    .print {
      display: block;
      margin-inline: 1rem;
    }
    .print table {
      width: 100%;
      border-collapse: collapse;
      font-size: 8pt;
    }
    .print .initials {
      display: none;
    }
    .print caption {
      padding-block-end: 0.5rem;
      text-align: start;
    }
    .print thead {
      display: table-header-group; /* repeated on each page */
    }
    .print tr {
      break-inside: avoid;
    }
    .print th,
    .print td {
      padding: 0.2rem 0.35rem;
      border-block-end: 1px solid var(--line);
      text-align: start;
      vertical-align: top;
      overflow-wrap: anywhere;
    }
  }
`;

import type { AuditlaneViewer } from "./elements.js";

export { AuditlaneViewer } from "./elements.js";
export type {
  AuditEvent,
  AuditlaneViewerEvents,
  ElementProperties,
  OpenDetail,
  Problem,
  QueryDetail,
  Rendered,
  ViewerProperties,
} from "./elements.js";

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-viewer": AuditlaneViewer;
  }
}

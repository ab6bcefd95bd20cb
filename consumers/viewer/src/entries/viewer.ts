export { AuditlaneViewer } from "../viewer/auditlane-viewer.js";

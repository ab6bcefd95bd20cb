export { AuditlaneSettings } from "../settings/auditlane-settings.js";

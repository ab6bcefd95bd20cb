import type { AuditlaneSettings } from "./elements.js";

export { AuditlaneSettings } from "./elements.js";
export type { AuditlaneSettingsEvents, ElementProperties, Problem, SavedDetail } from "./elements.js";

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-settings": AuditlaneSettings;
  }
}

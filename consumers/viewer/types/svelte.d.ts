/** The elements in Svelte's templates (5 or later): `import type {} from "@auditlane/viewer/svelte"`. */
import type { HTMLAttributes } from "svelte/elements";

import type { Handlers, SettingsAttributes, ViewerAttributes } from "./attributes.js";
import type { AuditlaneSettings, AuditlaneSettingsEvents, AuditlaneViewer, AuditlaneViewerEvents } from "./elements.js";

type Tag<E extends HTMLElement, Own> = Omit<HTMLAttributes<E>, keyof Own> & Own;

declare module "svelte/elements" {
  interface SvelteHTMLElements {
    "auditlane-viewer": Tag<AuditlaneViewer, ViewerAttributes & Handlers<AuditlaneViewerEvents, "on">>;
    "auditlane-settings": Tag<AuditlaneSettings, SettingsAttributes & Handlers<AuditlaneSettingsEvents, "on">>;
  }
}

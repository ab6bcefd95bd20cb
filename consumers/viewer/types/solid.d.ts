/** The elements in Solid's JSX: `import type {} from "@auditlane/viewer/solid"`. */
import type { JSX } from "solid-js";

import type { Handlers, SettingsAttributes, ViewerAttributes } from "./attributes.js";
import type { AuditlaneSettings, AuditlaneSettingsEvents, AuditlaneViewer, AuditlaneViewerEvents } from "./elements.js";

/** `attr:` sets an attribute and `prop:` a property, as for all custom elements. */
type Prefixed<Own> = { [Name in keyof Own & string as `attr:${Name}` | `prop:${Name}`]?: Own[Name] };
type Tag<E extends HTMLElement, Own> = Omit<JSX.HTMLAttributes<E>, keyof Own> & Own & Prefixed<Own>;

declare module "solid-js" {
  namespace JSX {
    interface IntrinsicElements {
      "auditlane-viewer": Tag<AuditlaneViewer, ViewerAttributes> & Handlers<AuditlaneViewerEvents, "on:">;
      "auditlane-settings": Tag<AuditlaneSettings, SettingsAttributes> & Handlers<AuditlaneSettingsEvents, "on:">;
    }
  }
}

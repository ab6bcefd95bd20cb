/** The elements in React's JSX (19 or later): `import type {} from "@auditlane/viewer/react"`. */
import type { DetailedHTMLProps, HTMLAttributes } from "react";

import type { Handlers, SettingsAttributes, ViewerAttributes } from "./attributes.js";
import type { AuditlaneSettings, AuditlaneSettingsEvents, AuditlaneViewer, AuditlaneViewerEvents } from "./elements.js";

type Tag<E extends HTMLElement, Own> = Omit<DetailedHTMLProps<HTMLAttributes<E>, E>, keyof Own> & Own;

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "auditlane-viewer": Tag<AuditlaneViewer, ViewerAttributes & Handlers<AuditlaneViewerEvents, "on">>;
      "auditlane-settings": Tag<AuditlaneSettings, SettingsAttributes & Handlers<AuditlaneSettingsEvents, "on">>;
    }
  }
}

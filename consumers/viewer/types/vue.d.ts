/** The elements in Vue's templates (3.3 or later): `import type {} from "@auditlane/viewer/vue"`. */
import type { DefineComponent, HTMLAttributes } from "vue";

import type { SettingsAttributes, ViewerAttributes } from "./attributes.js";
import type { AuditlaneSettingsEvents, AuditlaneViewerEvents } from "./elements.js";

/** `@auditlane-open` handles `auditlane-open`, and is the property `onAuditlaneOpen`. */
type Camel<Name extends string> = Name extends `${infer Head}-${infer Tail}` ? `${Capitalize<Head>}${Camel<Tail>}` : Capitalize<Name>;
type VueHandlers<Events> = { [Name in keyof Events & string as `on${Camel<Name>}`]?: (event: Events[Name]) => void };
type Component<Own, Events> = DefineComponent<Omit<HTMLAttributes, keyof Own> & Own & VueHandlers<Events>>;

declare module "vue" {
  interface GlobalComponents {
    "auditlane-viewer": Component<ViewerAttributes, AuditlaneViewerEvents>;
    "auditlane-settings": Component<SettingsAttributes, AuditlaneSettingsEvents>;
  }
}

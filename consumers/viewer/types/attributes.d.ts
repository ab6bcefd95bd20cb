/** The elements in templates: attributes and properties, without events, whose names differ by framework. */
import type { ElementProperties, ViewerProperties } from "./elements.js";

interface ElementAttributes extends ElementProperties {
  "base-url": string;
  lang: string;
}

export type SettingsAttributes = Partial<ElementAttributes>;

export type ViewerAttributes = Partial<
  Omit<ViewerProperties, "texts"> & ElementAttributes & {
    "sign-in-url": string;
    "hide-first-use": boolean;
    "page-keys": boolean;
    /** An object, or JSON. */
    texts: Record<string, string> | string;
  }
>;

/** Handlers named after the events with a prefix: `ontoken-expired`, `on:token-expired`. */
export type Handlers<Events, Prefix extends string> = {
  [Name in keyof Events & string as `${Prefix}${Name}`]?: (event: Events[Name]) => void;
};

/** A user's preferences for a tenant's log, kept in the browser: columns, density, times, access events. */
import type { ExportFormat } from "../api/types.js";
import type { Density } from "./host-options.js";
import { FORMATS } from "./export.js";
import { isZone } from "./zone.js";

export interface Preferences {
  /** The names of the columns, in order. Null means the tenant's choice. */
  columns: string[] | null;
  /** The height of rows. Null means the host's choice. */
  density: Density | null;
  /** The time zone for displayed times, an IANA name. "" means the browser's. */
  zone: string;
  /** Whether the list shows relative times next to times in the last week. */
  relativeTimes: boolean;
  /** Whether the tiles are hidden. */
  tilesFolded: boolean;
  /** Whether auditlane's own events about access to the log are shown. */
  access: boolean;
  /** The format that the reader chose last for a download, or null if there was no choice. */
  format: ExportFormat | null;
  /** The names of the pinned columns. */
  pinned: string[];
  /** Chosen widths in px by column name. */
  widths: Record<string, number>;
}

export const DEFAULT_PREFERENCES: Preferences = {
  columns: null,
  density: null,
  zone: "",
  relativeTimes: true,
  tilesFolded: false,
  access: false,
  format: null,
  pinned: [],
  widths: {},
};

/** Reads stored preferences. Invalid parts, which other versions or scripts may have written, are dropped. */
export function parsePreferences(stored: unknown): Preferences {
  const given = { ...(stored as Partial<Record<keyof Preferences, unknown>> | null) };
  const { columns, density, zone, relativeTimes, tilesFolded, access, format, pinned, widths } = given;
  const sizes = Object.entries({ ...(widths as object | null) }).filter(([, width]) => Number.isFinite(width));
  return {
    columns: namesIn(columns) ?? DEFAULT_PREFERENCES.columns,
    density: density === "compact" || density === "comfortable" ? density : DEFAULT_PREFERENCES.density,
    zone: typeof zone === "string" && isZone(zone) ? zone : DEFAULT_PREFERENCES.zone,
    relativeTimes: relativeTimes !== false,
    tilesFolded: tilesFolded === true,
    access: access === true,
    format: isFormat(format) ? format : DEFAULT_PREFERENCES.format,
    pinned: namesIn(pinned) ?? DEFAULT_PREFERENCES.pinned,
    widths: Object.fromEntries(sizes) as Record<string, number>,
  };
}

function isFormat(stored: unknown): stored is ExportFormat {
  return (FORMATS as readonly unknown[]).includes(stored);
}

function namesIn(stored: unknown): string[] | null {
  return Array.isArray(stored) ? stored.filter((name) => typeof name === "string") : null;
}

/** Reads and writes preferences. Does nothing in browsers without storage (private windows, third-party frames). */
export class PreferenceStore {
  constructor(
    private tenant: string,
    private user: string,
  ) {}

  setOwner(tenant: string, user: string): void {
    this.tenant = tenant;
    this.user = user;
  }

  read(): Preferences {
    try {
      return parsePreferences(JSON.parse(localStorage.getItem(this.key) ?? "{}"));
    } catch {
      return DEFAULT_PREFERENCES;
    }
  }

  write(preferences: Preferences): void {
    try {
      localStorage.setItem(this.key, JSON.stringify(preferences));
    } catch {
      // Without storage, a choice lasts until the user leaves the page.
    }
  }

  private get key(): string {
    return `auditlane:${this.tenant}:${this.user}`;
  }
}

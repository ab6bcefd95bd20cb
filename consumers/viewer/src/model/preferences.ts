/** What one person likes in one tenant's log, kept in the browser: columns, how close rows stand, whose clock. */

export interface Preferences {
  /** Names of the columns in their order; null is the tenant's own choice. */
  columns: string[] | null;
  density: "comfortable" | "compact";
  utc: boolean;
  /** Of columns by their names, in px, where they are not the usual. */
  widths: Record<string, number>;
}

export const DEFAULT_PREFERENCES: Preferences = { columns: null, density: "comfortable", utc: false, widths: {} };

/** What was kept, as far as it makes sense: other versions, and other scripts of the page, may have written it. */
export function parsePreferences(stored: unknown): Preferences {
  const { columns, density, utc, widths } = { ...(stored as Partial<Record<keyof Preferences, unknown>> | null) };
  const sizes = Object.entries({ ...(widths as object | null) }).filter(([, width]) => Number.isFinite(width));
  return {
    columns: Array.isArray(columns) ? columns.filter((name) => typeof name === "string") : DEFAULT_PREFERENCES.columns,
    density: density === "compact" ? density : DEFAULT_PREFERENCES.density,
    utc: utc === true,
    widths: Object.fromEntries(sizes) as Record<string, number>,
  };
}

/** Reads and writes them. A browser that keeps nothing (private windows, foreign frames) is no error. */
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
      // Nothing is kept here: what was chosen counts until the page is left.
    }
  }

  private get key(): string {
    return `auditlane:${this.tenant}:${this.user}`;
  }
}

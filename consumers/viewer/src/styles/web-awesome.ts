/**
 * Loads the parts of Web Awesome that are used. Call `await loadTabs()`, and then render `<wa-tab-group>`.
 * `webAwesomeTokens` defines its appearance.
 *
 * Its icons are our own files, since the library fetches data URLs, which a strict content policy without `data:` in
 * `connect-src` forbids.
 */
import { css } from "lit";

const ICONS = import.meta.glob<string>("./icons/*.svg", { query: "?no-inline", import: "default", eager: true });

/** Resolves when the elements for tabs are defined. */
export async function loadTabs(): Promise<void> {
  const { registerIconLibrary } = await import("@awesome.me/webawesome/dist/components/icon/library.js");
  registerIconLibrary("system", { resolver: (name) => ICONS[`./icons/${name}.svg`] ?? "" });
  await Promise.all([
    import("@awesome.me/webawesome/dist/components/tab-group/tab-group.js"),
    import("@awesome.me/webawesome/dist/components/tab/tab.js"),
    import("@awesome.me/webawesome/dist/components/tab-panel/tab-panel.js"),
  ]);
}

/** Maps the library's custom properties to our tokens, for the host of an element that uses the library. */
export const webAwesomeTokens = css`
  :host {
    --wa-border-radius-pill: 999px;
    --wa-border-width-l: 2px;
    --wa-color-brand-on-quiet: var(--accent);
    --wa-color-brand-fill-loud: var(--accent);
    --wa-color-brand-on-loud: var(--on-accent);
    --wa-color-neutral-fill-normal: var(--ground-3);
    --wa-color-neutral-on-quiet: var(--ink-2);
    --wa-color-surface-default: var(--ground);
    --wa-focus-ring: 2px solid var(--accent);
    --wa-focus-ring-offset: 1px;
    --wa-font-size-xs: calc(var(--size) * 0.8);
    --wa-font-size-s: calc(var(--size) * 0.9);
    --wa-font-size-m: var(--size);
    --wa-font-size-l: calc(var(--size) * 1.15);
    --wa-font-size-xl: calc(var(--size) * 1.3);
    --wa-font-weight-action: 500;
    --wa-space-xl: 1.4em;
    --wa-transition-easing: ease;
    --wa-transition-fast: 75ms;
  }
  @media (prefers-reduced-motion: reduce) {
    :host {
      --wa-transition-fast: 0ms;
    }
  }
`;

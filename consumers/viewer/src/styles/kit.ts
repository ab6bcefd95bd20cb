/**
 * The parts of Web Awesome that we use, loaded when they are: `await kit("dropdown")`, then write `<wa-dropdown>`.
 * They take our look from `kitTokens`, and their icons from files of our own: theirs are data URLs, which they fetch,
 * and a strict policy has no `data:` in `connect-src`.
 */
import { css } from "lit";

const LOADS = {
  dropdown: () =>
    Promise.all([
      import("@awesome.me/webawesome/dist/components/dropdown/dropdown.js"),
      import("@awesome.me/webawesome/dist/components/dropdown-item/dropdown-item.js"),
    ]),
  popover: () => import("@awesome.me/webawesome/dist/components/popover/popover.js"),
  popup: () => import("@awesome.me/webawesome/dist/components/popup/popup.js"),
  tabs: () =>
    Promise.all([
      import("@awesome.me/webawesome/dist/components/tab-group/tab-group.js"),
      import("@awesome.me/webawesome/dist/components/tab/tab.js"),
      import("@awesome.me/webawesome/dist/components/tab-panel/tab-panel.js"),
    ]),
  tooltip: () => import("@awesome.me/webawesome/dist/components/tooltip/tooltip.js"),
} satisfies Record<string, () => Promise<unknown>>;

const ICONS = import.meta.glob<string>("./icons/*.svg", { query: "?no-inline", import: "default", eager: true });

let registered: Promise<void> | null = null;

/** Loads these components; resolves when their elements are defined. */
export async function kit(...names: (keyof typeof LOADS)[]): Promise<void> {
  await (registered ??= icons());
  await Promise.all(names.map((name) => LOADS[name]()));
}

async function icons(): Promise<void> {
  const { registerIconLibrary } = await import("@awesome.me/webawesome/dist/components/icon/library.js");
  registerIconLibrary("system", { resolver: (name) => ICONS[`./icons/${name}.svg`] ?? ICONS["./icons/check.svg"] ?? "" });
}

/** Their properties in our terms, for the host element of whoever uses them; inherited by what is inside. */
export const kitTokens = css`
  :host {
    --wa-border-radius-m: var(--radius);
    --wa-border-radius-s: calc(var(--radius) * 0.67);
    --wa-border-radius-pill: 999px;
    --wa-border-style: solid;
    --wa-border-width-s: 1px;
    --wa-border-width-l: 2px;
    --wa-color-brand-on-quiet: var(--accent);
    --wa-color-brand-fill-loud: var(--accent);
    --wa-color-brand-on-loud: var(--on-accent);
    --wa-color-danger-fill-normal: var(--ground-3);
    --wa-color-danger-on-normal: var(--bad);
    --wa-color-danger-on-quiet: var(--bad);
    --wa-color-neutral-border-quiet: var(--line);
    --wa-color-neutral-fill-normal: var(--ground-3);
    --wa-color-neutral-on-quiet: var(--ink-2);
    --wa-color-surface-border: var(--line);
    --wa-color-surface-default: var(--ground);
    --wa-color-surface-raised: var(--ground);
    --wa-color-text-normal: var(--ink);
    --wa-color-text-quiet: var(--ink-2);
    --wa-focus-ring: 2px solid var(--accent);
    --wa-focus-ring-offset: 1px;
    --wa-font-family-body: var(--font);
    --wa-font-size-xs: calc(var(--size) * 0.8);
    --wa-font-size-s: calc(var(--size) * 0.9);
    --wa-font-size-m: var(--size);
    --wa-font-size-l: calc(var(--size) * 1.15);
    --wa-font-size-xl: calc(var(--size) * 1.3);
    --wa-font-size-smaller: 0.9em;
    --wa-font-weight-action: 500;
    --wa-font-weight-semibold: 600;
    --wa-line-height-condensed: 1.3;
    --wa-line-height-normal: 1.45;
    --wa-panel-border-radius: var(--radius);
    --wa-panel-border-style: solid;
    --wa-panel-border-width: 1px;
    --wa-shadow-m: 0 4px 16px rgb(0 0 0 / 0.18);
    --wa-shadow-l: 0 8px 28px rgb(0 0 0 / 0.22);
    --wa-space-2xs: 0.25em;
    --wa-space-xs: 0.5em;
    --wa-space-l: 1em;
    --wa-space-xl: 1.4em;
    --wa-tooltip-arrow-size: 5px;
    --wa-tooltip-background-color: var(--ink);
    --wa-tooltip-border-color: var(--ink);
    --wa-tooltip-border-radius: calc(var(--radius) * 0.67);
    --wa-tooltip-border-style: solid;
    --wa-tooltip-border-width: 1px;
    --wa-tooltip-content-color: var(--ground);
    --wa-tooltip-font-size: calc(var(--size) * 0.9);
    --wa-tooltip-line-height: 1.35;
    --wa-transition-easing: ease;
    --wa-transition-fast: 75ms;
    --wa-transition-normal: 150ms;
    --wa-transition-slow: 300ms;
  }
  @media (prefers-reduced-motion: reduce) {
    :host {
      --wa-transition-fast: 0ms;
      --wa-transition-normal: 0ms;
      --wa-transition-slow: 0ms;
    }
  }
`;

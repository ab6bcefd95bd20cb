/** The design tokens, in light and dark. A host page overrides them with `--auditlane-…`. */
import { css } from "lit";

export const tokens = css`
  :host {
    --ground: var(--auditlane-ground, light-dark(#ffffff, #12151a));
    --ground-2: var(--auditlane-ground-2, light-dark(#f6f7f9, #1a1e25));
    --ground-3: var(--auditlane-ground-3, light-dark(#eceff3, #242a33));
    --line: var(--auditlane-line, light-dark(#d9dee5, #323a46));
    /* Borders of controls: 3 to 1 against the ground (WCAG 1.4.11). */
    --edge: var(--auditlane-edge, light-dark(#868f9c, #6c7788));
    --ink: var(--auditlane-ink, light-dark(#1a1f27, #e8ebf0));
    --ink-2: var(--auditlane-ink-2, light-dark(#566070, #a3adbb));
    --accent: var(--auditlane-accent, light-dark(#1f5fd0, #7fb0ff));
    --on-accent: var(--auditlane-on-accent, light-dark(#ffffff, #0d1420));
    --accent-ground: var(--auditlane-accent-ground, light-dark(#e7effc, #1c2b45));
    --good: var(--auditlane-good, light-dark(#1a7043, #6fd09b));
    --warn: var(--auditlane-warn, light-dark(#8f5200, #f0b357));
    --bad: var(--auditlane-bad, light-dark(#b3261e, #ff8f87));
    --radius: var(--auditlane-radius, 6px);
    --font: var(--auditlane-font, system-ui, sans-serif);
    --mono: var(--auditlane-mono, ui-monospace, monospace);
    --size: var(--auditlane-size, 14px);
  }
`;

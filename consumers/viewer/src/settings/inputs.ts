/** Inputs with their label, hint and what is wrong with them, as one. */
import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";

export interface Box {
  key: string;
  label: string;
  hint?: string;
  value: string | boolean;
  /** What is wrong with it, as a sentence. */
  fault?: string;
  fixed?: boolean;
  set: (value: string | boolean) => void;
  /** The person has been there. */
  left?: () => void;
}

interface Look {
  maxlength?: number;
  /** Read letter by letter. */
  code?: boolean;
  numeric?: boolean;
  moment?: boolean;
  short?: boolean;
}

export function line(box: Box, look: Look = {}): TemplateResult {
  return framed(
    box,
    html`<input
      id=${box.key}
      class="${look.code ? "code" : ""} ${look.short ? "short" : ""}"
      type=${look.moment ? "datetime-local" : "text"}
      inputmode=${look.numeric ? "decimal" : "text"}
      maxlength=${look.maxlength ?? 10_000}
      autocomplete="off"
      spellcheck=${look.code ? "false" : "true"}
      autocapitalize=${look.code ? "none" : "sentences"}
      ?disabled=${box.fixed}
      aria-invalid=${box.fault ? "true" : "false"}
      aria-describedby=${described(box)}
      .value=${live(String(box.value))}
      @input=${(event: Event) => box.set((event.target as HTMLInputElement).value)}
      @blur=${box.left}
    />`,
  );
}

export function area(box: Box): TemplateResult {
  return framed(
    box,
    html`<textarea
      id=${box.key}
      rows="4"
      spellcheck="false"
      ?disabled=${box.fixed}
      aria-invalid=${box.fault ? "true" : "false"}
      aria-describedby=${described(box)}
      .value=${live(String(box.value))}
      @input=${(event: Event) => box.set((event.target as HTMLTextAreaElement).value)}
      @blur=${box.left}
    ></textarea>`,
  );
}

/** One of [value, what it is called]. */
export function choose(box: Box, options: readonly (readonly [string, string])[]): TemplateResult {
  return framed(
    box,
    html`<select
      id=${box.key}
      ?disabled=${box.fixed}
      aria-invalid=${box.fault ? "true" : "false"}
      aria-describedby=${described(box)}
      @change=${(event: Event) => box.set((event.target as HTMLSelectElement).value)}
      @blur=${box.left}
    >
      ${options.map(([value, label]) => html`<option value=${value} ?selected=${value === box.value}>${label}</option>`)}
    </select>`,
  );
}

export function check(box: Box): TemplateResult {
  return html`<div class="check">
    <input
      id=${box.key}
      type="checkbox"
      ?disabled=${box.fixed}
      aria-describedby=${described(box)}
      .checked=${live(box.value === true)}
      @change=${(event: Event) => box.set((event.target as HTMLInputElement).checked)}
    />
    <div>
      <label for=${box.key}>${box.label}</label>
      ${beneath(box)}
    </div>
  </div>`;
}

function framed(box: Box, input: TemplateResult): TemplateResult {
  return html`<div class="input"><label for=${box.key}>${box.label}</label>${input}${beneath(box)}</div>`;
}

function beneath(box: Box): TemplateResult {
  return html`
    <span id="fault-${box.key}" class="bad small" aria-live="polite">${box.fault || nothing}</span>
    ${box.hint ? html`<span id="hint-${box.key}" class="quietly small">${box.hint}</span>` : nothing}
  `;
}

function described(box: Box): string | typeof nothing {
  const ids = [...(box.fault ? [`fault-${box.key}`] : []), ...(box.hint ? [`hint-${box.key}`] : [])];
  return ids.join(" ") || nothing;
}

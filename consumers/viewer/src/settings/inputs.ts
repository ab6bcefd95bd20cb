/** Renders inputs with a label, a hint and an error. */
import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";

export interface InputOptions {
  key: string;
  label: string;
  hint?: string;
  value: string | boolean;
  /** The error, as a sentence. */
  error?: string;
  disabled?: boolean;
  onInput: (value: string | boolean) => void;
  /** Called when the input loses focus. */
  onBlur?: () => void;
}

interface TextOptions {
  maxlength?: number;
  /** Monospaced, without spell checking. */
  code?: boolean;
  numeric?: boolean;
  dateTime?: boolean;
  short?: boolean;
}

export function textInput(options: InputOptions, text: TextOptions = {}): TemplateResult {
  return labelled(
    options,
    html`<input
      id=${options.key}
      class="${text.code ? "code" : ""} ${text.short ? "short" : ""}"
      type=${text.dateTime ? "datetime-local" : "text"}
      inputmode=${text.numeric ? "decimal" : "text"}
      maxlength=${text.maxlength ?? 10_000}
      autocomplete="off"
      spellcheck=${text.code ? "false" : "true"}
      autocapitalize=${text.code ? "none" : "sentences"}
      ?disabled=${options.disabled}
      aria-invalid=${options.error ? "true" : "false"}
      aria-describedby=${describedBy(options)}
      .value=${live(String(options.value))}
      @input=${(event: Event) => options.onInput((event.target as HTMLInputElement).value)}
      @blur=${options.onBlur}
    />`,
  );
}

export function textArea(options: InputOptions): TemplateResult {
  return labelled(
    options,
    html`<textarea
      id=${options.key}
      rows="4"
      spellcheck="false"
      ?disabled=${options.disabled}
      aria-invalid=${options.error ? "true" : "false"}
      aria-describedby=${describedBy(options)}
      .value=${live(String(options.value))}
      @input=${(event: Event) => options.onInput((event.target as HTMLTextAreaElement).value)}
      @blur=${options.onBlur}
    ></textarea>`,
  );
}

/** Renders a select whose choices are `[value, label]`. */
export function selectInput(options: InputOptions, choices: readonly (readonly [string, string])[]): TemplateResult {
  return labelled(
    options,
    html`<select
      id=${options.key}
      ?disabled=${options.disabled}
      aria-invalid=${options.error ? "true" : "false"}
      aria-describedby=${describedBy(options)}
      @change=${(event: Event) => options.onInput((event.target as HTMLSelectElement).value)}
      @blur=${options.onBlur}
    >
      ${choices.map(([value, label]) => html`<option value=${value} ?selected=${value === options.value}>${label}</option>`)}
    </select>`,
  );
}

export function checkbox(options: InputOptions): TemplateResult {
  return html`<div class="check">
    <input
      id=${options.key}
      type="checkbox"
      ?disabled=${options.disabled}
      aria-describedby=${describedBy(options)}
      .checked=${live(options.value === true)}
      @change=${(event: Event) => options.onInput((event.target as HTMLInputElement).checked)}
    />
    <div>
      <label for=${options.key}>${options.label}</label>
      ${messages(options)}
    </div>
  </div>`;
}

function labelled(options: InputOptions, input: TemplateResult): TemplateResult {
  return html`<div class="input"><label for=${options.key}>${options.label}</label>${input}${messages(options)}</div>`;
}

function messages(options: InputOptions): TemplateResult {
  return html`
    <span id="fault-${options.key}" class="bad small" aria-live="polite">${options.error || nothing}</span>
    ${options.hint ? html`<span id="hint-${options.key}" class="quietly small">${options.hint}</span>` : nothing}
  `;
}

function describedBy(options: InputOptions): string | typeof nothing {
  const ids = [...(options.error ? [`fault-${options.key}`] : []), ...(options.hint ? [`hint-${options.key}`] : [])];
  return ids.join(" ") || nothing;
}

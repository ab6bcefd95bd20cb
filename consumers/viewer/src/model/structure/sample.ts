/** A sample value for a field, and code that sends it. */
import { type Form, linesOf } from "./form.js";

/** Returns a sample value for the type in the form, or "…" if no value for a pattern can be guessed. */
export function sampleValue(form: Form): string | number | boolean {
  const low = form.minimum.trim() ? Number(form.minimum) : -Infinity;
  const high = form.maximum.trim() ? Number(form.maximum) : Infinity;
  switch (form.type) {
    case "Enum":
      return linesOf(form.oneOf)[0] ?? "…";
    case "Number":
    case "Integer": {
      const listed = Number(linesOf(form.oneOf)[0] ?? NaN);
      const usual = form.type === "Integer" ? 42 : 12.5;
      return [listed, Math.min(Math.max(usual, low), high)].find(Number.isFinite) ?? usual;
    }
    case "Boolean":
      return true;
    case "Timestamp":
      return "2026-01-31T13:45:00Z";
    case "Email":
      return "jane@example.com";
    case "IpAddress":
      return "203.0.113.7";
    case "Json":
      return '{"size": 3}';
    default:
      return form.pattern ? form.default || "…" : (form.default || "A-17").slice(0, Number(form.maxLength) || undefined);
  }
}

/** Returns Python code for the SDK. In the environment's form, the tenant is "…". */
export function emitCode(form: Form, tenant: string | null): string {
  const value = sampleValue(form);
  const shown = value === true ? "True" : JSON.stringify(value);
  return `audit.emit(
    tenant_id=${JSON.stringify(tenant ?? "…")},
    action="document.deleted",
    actor_id="u-17",
    fields={${JSON.stringify(form.name || "…")}: ${shown}},
)`;
}

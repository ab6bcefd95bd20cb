import type { Texts } from "../en/index.js";

export const states: Texts["states"] = {
  title: (tenant) => `Audit-Log von ${tenant}`,
  loading: "Wird geladen",
  retry: "Noch einmal versuchen",
  tenantNeeded: "Die Zugangsdaten gelten für die ganze Umgebung: Nennen Sie einen Mandanten.",
};

/** Code that sends a first event, for one tenant and service. */

export interface Snippet {
  id: string;
  name: string;
  code: string;
}

/** Returns one snippet per client. `url` is the URL of the service, without a trailing slash. */
export function snippets(tenant: string, url: string): Snippet[] {
  const quoted = JSON.stringify(tenant);
  return [
    {
      id: "python",
      name: "Python",
      code: `# pip install auditlane; set AUDITLANE_KAFKA_BOOTSTRAP and AUDITLANE_REGISTRY_URL
from auditlane.sdk import AuditClient

with AuditClient() as audit:
    audit.emit(
        tenant_id=${quoted},
        action="document.deleted",
        actor_id="u-17",
        actor_name="jane@example.com",
        resource="document",
        resource_id="d-99",
    )`,
    },
    {
      id: "curl",
      name: "curl",
      code: `curl -sS ${shellQuote(`${url}/v1/events`)} \\
  -H "Authorization: Bearer $TOKEN" -H ${shellQuote(`Auditlane-Tenant: ${tenant}`)} \\
  -H 'Content-Type: application/json' \\
  -d '{"action": "document.deleted", "actor_id": "u-17", "resource": "document", "resource_id": "d-99"}'`,
    },
    {
      id: "frontegg",
      name: "Frontegg SDK",
      code: `// FRONTEGG_API_GATEWAY_URL=${url}
const { AuditsClient } = require("@frontegg/client");

const audits = new AuditsClient();
await audits.init(process.env.CLIENT_ID, process.env.API_KEY);
await audits.sendAudit({
  tenantId: ${quoted},
  user: "jane@example.com",
  action: "document.deleted",
  resource: "document",
  severity: "Info",
});`,
    },
  ];
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

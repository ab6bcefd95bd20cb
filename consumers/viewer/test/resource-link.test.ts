import { describe, expect, it } from "vitest";

import type { AuditEvent, ShownField } from "../src/api/types.js";
import { resourceLink } from "../src/model/resource-link.js";

const field = (template: string): ShownField[] => [{ name: "resource", custom: false, links: { document: template } } as unknown as ShownField];
const event = (resource_id: string | null, resource = "document"): AuditEvent => ({ resource, resource_id, tenant_id: "acme" }) as AuditEvent;
const TEMPLATE = "https://app.example/{tenant_id}/documents/{resource_id}?from=log";

describe("the link to a resource's page", () => {
  it("percent-encodes its values", () => {
    expect(resourceLink(event("Q3 plan/../x?y#\u00e9$&"), field(TEMPLATE))).toBe(
      "https://app.example/acme/documents/Q3%20plan%2F..%2Fx%3Fy%23%C3%A9%24%26?from=log",
    );
    expect(resourceLink(event("javascript:alert(1)"), field(TEMPLATE))).toContain("javascript%3Aalert(1)");
  });

  it.each([[null], [""], ["."], [".."]])("does not exist for the ID %j", (id) => expect(resourceLink(event(id), field(TEMPLATE))).toBe(""));

  it("exists only for types with a template of https", () => {
    expect(resourceLink(event("d", "constructor"), field(TEMPLATE))).toBe("");
    expect(resourceLink(event("d"), field("javascript:{resource_id}"))).toBe("");
    expect(resourceLink(event("d"), [])).toBe("");
  });
});

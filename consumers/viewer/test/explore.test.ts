import { describe, expect, it } from "vitest";

import type { AuditEvent } from "../src/api/types.js";
import { explorationsOf } from "../src/model/explore.js";

const event = (values: Partial<AuditEvent>): AuditEvent =>
  ({ occurred_at: "2026-01-01T00:03:00.123456Z", actor_id: "u 1", resource: "document", resource_id: "d", fields: {}, metadata: {}, ...values }) as AuditEvent;

describe("exploring from an event", () => {
  it("shows what happened around it, without a filter", () => {
    expect(explorationsOf(event({}))[0]).toEqual([
      "around",
      { query: "", range: { kind: "custom", from: "2025-12-31T23:58:00.123Z", to: "2026-01-01T00:08:00.123Z" } },
    ]);
  });

  it("filters by actor, object and session, whose values are quoted", () => {
    const found = Object.fromEntries(explorationsOf(event({ metadata: { session_id: 's"1' } })));
    expect(found.actor).toEqual({ query: 'actor_id:"u 1"' });
    expect(found.object).toEqual({ query: "resource:document resource_id:d" });
    expect(found.session).toEqual({ query: 'metadata.session_id:"s\\"1"' });
    expect(found.timeline).toEqual({ query: 'actor_id:"u 1"', range: { kind: "ever" }, sort: "occurred_at" });
  });

  it("offers only what the event has", () => {
    const found = explorationsOf(event({ actor_id: "", resource_id: null }));
    expect(found.map(([kind]) => kind)).toEqual(["around"]);
  });
});

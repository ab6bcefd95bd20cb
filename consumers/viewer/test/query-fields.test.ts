import { describe, expect, it } from "vitest";

import type { ShownField } from "../src/api/types.js";
import { findQueryField, matchingFields, offeredFields, queryFields } from "../src/model/query-fields.js";

const field = (name: string, given: Partial<ShownField> = {}): ShownField => ({
  name,
  displayName: name[0]?.toUpperCase() + name.slice(1).replace("_", " "),
  displayType: "AlphaNumeric",
  sortable: false,
  filterable: true,
  showInTable: true,
  showInMoreInfo: true,
  downloadable: true,
  order: 0,
  custom: false,
  parameter: name,
  origin: "default",
  ...given,
});

describe("query fields", () => {
  const known = queryFields(
    [
      field("occurred_at", { displayType: "Timestamp", filterable: false }),
      field("action"),
      field("metadata", { displayType: "Json" }),
      field("amount", { custom: true, parameter: "fields.amount", displayType: "Number" }),
      field("event_id"),
    ],
    { actor: "Who", ingested_at: "Stored" },
  );

  it("are the tenant's, filterable ones first, and those of every event", () => {
    expect(known.map((field) => [field.parameter, field.kind])).toEqual([
      ["actor", "text"],
      ["action", "text"],
      ["fields.amount", "number"],
      ["event_id", "id"],
      ["occurred_at", "time"],
      ["ingested_at", "time"],
    ]);
  });

  it("are offered without a second one for the actor, unless it has a name of its own", () => {
    const offered = (displayName: string): string[] =>
      offeredFields(queryFields([field("actor_name", { displayName })], { actor: "Actor (name or ID)" })).map((one) => one.parameter);
    expect(offered("Actor")).toEqual(["actor", "event_id", "ingested_at"]);
    expect(offered("Employee")).toEqual(["actor", "actor_name", "event_id", "ingested_at"]);
  });

  it("are found by their beginning, then by their content", () => {
    expect(matchingFields(known, "am").map((field) => field.name)).toEqual(["Amount"]);
    expect(matchingFields(known, "act").map((field) => field.parameter)).toEqual(["actor", "action"]);
    expect(matchingFields(known, "i").map((field) => field.parameter)).toEqual(["ingested_at", "action", "event_id"]);
    expect(matchingFields(known, "zz")).toEqual([]);
    expect(findQueryField(known, "amount").parameter).toBe("fields.amount");
    expect(findQueryField(known, "metadata.x").kind).toBe("text");
  });
});

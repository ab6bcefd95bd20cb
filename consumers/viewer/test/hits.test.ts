import { describe, expect, it } from "vitest";

import type { AuditEvent } from "../src/api/types.js";
import { fieldsWith, wordsOf } from "../src/model/hits.js";

describe("the words of a query", () => {
  it.each([
    ["deleted denied", ["deleted", "denied"]],
    ['"password changed" action:login', ["password changed"]],
    ["-jane NOT joe (deleted OR (purged ip:*)) -(x)", ["deleted", "purged"]],
    ["a OR a", ["a"]],
    ["(unfinished", []],
    ["", []],
  ])("%s", (query, words) => expect(wordsOf(query)).toEqual(words));
});

describe("the fields with a word", () => {
  const event = {
    action: "document.deleted",
    description: "It was Deleted",
    outcome: "denied",
    actor_name: null,
    metadata: { reason: "deleted by hand", deleted: "no" },
    fields: { order: "x" },
  } as unknown as AuditEvent;

  it.each([
    ["deleted", ["action", "description", "metadata.reason"]],
    ["DENIED", ["outcome"]],
    ["x", ["fields.order"]],
    ["absent", []],
  ])("%s", (word, fields) => expect(fieldsWith(event, word)).toEqual(fields));
});

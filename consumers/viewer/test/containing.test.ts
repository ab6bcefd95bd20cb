import { describe, expect, it } from "vitest";

import { containing } from "../src/model/containing.js";

const counts = [
  { value: "document.deleted", events: 30 },
  { value: "Project.Deleted", events: 9 },
  { value: "project.deleted", events: 12 },
  { value: "user.login", events: 5 },
  { value: null, events: 4 },
];

describe("what several values contain", () => {
  it.each([
    ["deleted", true, { text: "deleted", values: 2, events: 42 }],
    ["DELETED", true, { text: "deleted", values: 2, events: 42 }],
    ["deleted", false, { text: "deleted", values: null, events: null }],
    ["login", true, null],
    ["", true, null],
    ["de*", true, null],
    ["nothing", true, null],
  ])("%s, all known: %s", (typed, complete, found) => {
    expect(containing(counts, typed, complete)).toEqual(found);
  });
});

import { describe, expect, it } from "vitest";

import { NO_VISIT, parseVisit, visitAt } from "../src/model/visit.js";

const HOUR = 3_600_000;

describe("visits", () => {
  it("mark nothing during the first", () => {
    expect(visitAt(NO_VISIT, HOUR)).toEqual({ since: null, seen: HOUR });
  });

  it("end with a pause, and not with a reload", () => {
    const second = visitAt({ since: null, seen: HOUR }, 3 * HOUR);
    expect(second).toEqual({ since: HOUR, seen: 3 * HOUR });
    expect(visitAt(second, 3 * HOUR + 60_000)).toEqual({ since: HOUR, seen: 3 * HOUR + 60_000 });
  });

  it.each([null, "x", [], { since: "1", seen: {} }, { since: Number.NaN }])("ignore the stored value %j", (stored) => {
    expect(parseVisit(stored)).toEqual(NO_VISIT);
  });
});

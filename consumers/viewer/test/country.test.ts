import { describe, expect, it } from "vitest";

import { countryOf } from "../src/model/format/country.js";

describe("a country", () => {
  it("has a flag, and a name in the reader's language", () => {
    expect(countryOf("NO", "en")).toEqual({ name: "Norway", flag: "🇳🇴" });
    expect(countryOf("NO", "de")).toEqual({ name: "Norwegen", flag: "🇳🇴" });
  });

  it("without a name is shown by its code", () => expect(countryOf("QQ", "en")?.name).toBe("QQ"));

  it.each([null, undefined, "", "no", "NOR", "1A", "ÄA"])("is unknown for %j", (code) => expect(countryOf(code, "en")).toBeNull());
});

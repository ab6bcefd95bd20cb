import { describe, expect, it } from "vitest";

import type { ShownField } from "../src/api/types.js";
import { columnFields } from "../src/model/columns.js";
import {
  defaultSeparator,
  exportBody,
  exportedFields,
  exportMethod,
  exportOptions,
  exportParams,
  type ExportRequest,
  fileName,
  headings,
  searchOnly,
  sinceOption,
} from "../src/model/export.js";

function field(name: string, downloadable: boolean, custom = false): ShownField {
  return { name, downloadable, custom, parameter: custom ? `fields.${name}` : name } as ShownField;
}

const FIELDS = [field("occurred_at", true), field("ip", false), field("action", true), field("total", true, true)];

describe("an export's columns", () => {
  it("are keys of the metadata too, if the metadata can be downloaded", () => {
    const chosen = ["metadata.region", "metadata.a,b"];
    const names = (downloadable: boolean, which: "all" | "shown") =>
      exportedFields(columnFields([field("metadata", downloadable)], chosen, "Sentence"), chosen, which).map(({ name }) => name);
    expect([names(true, "shown"), names(true, "all"), names(false, "shown")]).toEqual([["metadata.region"], ["metadata"], []]);
  });

  it("contain the resource's id wherever its cell shows it", () => {
    const names = (shown: string[], idDownloadable = true): string[] =>
      exportedFields([field("resource", true), field("action", true), field("resource_id", idDownloadable)], shown, "shown").map(({ name }) => name);
    expect(names(["resource", "action"])).toEqual(["resource", "resource_id", "action"]);
    expect(names(["resource_id", "action", "resource"])).toEqual(["resource_id", "action", "resource"]);
    expect(names(["resource", "action"], false)).toEqual(["resource", "action"]);
    expect(names(["action"])).toEqual(["action"]);
    expect(exportedFields([field("resource", true, true), field("resource_id", true)], ["resource"], "shown")).toHaveLength(1);
  });

  it("are the downloadable ones, all or those shown, in their order", () => {
    expect(exportedFields(FIELDS, [], "all").map((field) => field.name)).toEqual(["occurred_at", "action", "total"]);
    expect(exportedFields(FIELDS, ["total", "ip", "occurred_at"], "shown").map((field) => field.name)).toEqual(["total", "occurred_at"]);
  });
});

describe("a file's columns", () => {
  const columns = [{ ...FIELDS[2]!, displayName: "What" }, { ...FIELDS[3]!, displayName: "Total" }];

  it("have labels in formats for people, names in formats for programs", () => {
    for (const format of ["csv", "xlsx", "pdf"] as const)
      expect(headings(format, columns, "Konflikt")).toEqual(["What", "Total", "Konflikt"]);
    expect(headings("parquet", columns, "")).toEqual(["action", "total", "conflict"]);
    expect(headings("jsonl", columns, "")).toEqual(["action", "fields.total", "conflict"]); // a member of `fields`
  });
});

describe("an export request", () => {
  const wanted = {
    format: "csv" as const,
    columns: [FIELDS[2]!, FIELDS[3]!],
    options: { dialect: "raw" as const, titles: ["What", "Total, net"] },
    filter: [["query", "a:b"], ["from", "2026-01-01"]] as [string, string][],
  } satisfies ExportRequest;

  it("is the same as parameters and as a body", () => {
    expect(exportParams(wanted)).toEqual([
      ["format", "csv"],
      ["columns", "action,fields.total,conflict"],
      ["dialect", "raw"],
      ["titles", '["What","Total, net"]'],
      ["query", "a:b"],
      ["from", "2026-01-01"],
    ]);
    expect(exportBody(wanted)).toEqual({
      format: "csv",
      columns: ["action", "fields.total", "conflict"],
      dialect: "raw",
      titles: ["What", "Total, net"],
      filter: { query: "a:b", from: "2026-01-01" },
    });
  });
});

describe("an export's options", () => {
  const zone = "Europe/Berlin";
  const titles = ["Zeit"];

  it("are those that apply to the format", () => {
    const csv = { dialect: "spreadsheet", separator: "tab" } as const;
    expect(exportOptions("csv", csv, zone, titles)).toEqual({ ...csv, zone, titles });
    expect(exportOptions("csv", { ...csv, dialect: "raw" }, zone, titles)).toEqual({ dialect: "raw", separator: "tab" });
    expect(exportOptions("xlsx", csv, zone, titles)).toEqual({ zone, titles });
    expect(exportOptions("pdf", csv, zone, titles)).toEqual({ titles });
    expect(exportOptions("jsonl", csv, zone, titles)).toEqual({});
  });

  it("have the separator that spreadsheets expect in the reader's language", () => {
    expect([defaultSeparator("en"), defaultSeparator("de"), defaultSeparator("fr")]).toEqual(["comma", "semicolon", "semicolon"]);
  });
});

describe("a download that is noted", () => {
  const search = [["query", "a:b"]] as const;

  it("has no time range, since the next one would lack the events outside it", () => {
    expect(sinceOption(search, false)).toBe("all");
    expect(sinceOption([...search, ["from", "2026-01-01"]], false)).toBeUndefined();
    expect(sinceOption([...search, ["from", "2026-01-01"]], true)).toBe("last");
    expect(searchOnly([...search, ["from", "2026-01-01"], ["to", "2026-01-02"]])).toEqual(search);
  });
});

describe("the export method", () => {
  it.each([
    ["csv", null, "at once"],
    ["csv", 0, "nothing"],
    ["csv", 50_000, "at once"],
    ["csv", 50_001, "job"],
    ["pdf", 5_000, "at once"],
    ["pdf", 5_001, "too many"],
  ] as const)("of %s with %s rows is %s", (format, rows, way) => {
    expect(exportMethod(format, rows)).toBe(way);
  });
});

describe("a file's name", () => {
  it("is the service's", () => {
    expect(fileName('attachment; filename="audit-acme.csv"', "x")).toBe("audit-acme.csv");
    expect(fileName(null, "audit.csv")).toBe("audit.csv");
  });
});

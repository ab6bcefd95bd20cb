import { afterEach, describe, expect, it, vi } from "vitest";

import type { AuditEvent } from "../src/api/types.js";
import { en } from "../src/i18n/en/index.js";
import { visible } from "../src/model/format/text.js";
import { parseOptions, replaceTexts } from "../src/model/host-attributes.js";
import { hostRange, NO_OPTIONS, parseHostRange, type Rendered } from "../src/model/host-options.js";

const GIVEN = { columns: "", density: "", hide: "", locale: "", range: "", texts: {}, renderCell: null, renderHeading: null };

describe("the host's options", () => {
  it("have defaults", () => {
    expect(parseOptions(GIVEN)).toEqual({
      options: NO_OPTIONS,
      mistakes: [],
    });
  });

  it("are parsed from attributes", () => {
    const given = { columns: "occurred_at, action", density: "compact", hide: "tiles histogram", locale: "en-GB", range: "7d", texts: { "states.heading": "Activity" } };
    expect(parseOptions({ ...GIVEN, ...given })).toEqual({
      options: { ...NO_OPTIONS, columns: ["occurred_at", "action"], density: "compact", hidden: new Set(["tiles", "histogram"]), locale: "en-GB", texts: given.texts },
      mistakes: [],
    });
  });

  it.each([
    ["hide", { hide: "tiles menu" }, /hide: there is no menu\. Use: title, search/],
    ["density", { density: "huge" }, /density: "huge" is unknown\. Use: comfortable, compact/],
    ["range", { range: "soon" }, /range: "soon" is not a range\. Use 1h, 24h/],
    ["locale", { locale: "en_GB" }, /locale: "en_GB" is not a BCP 47 tag/],
  ])("name an invalid %s, and ignore it", (_, change, message) => {
    const { options, mistakes } = parseOptions({ ...GIVEN, ...change });
    expect(mistakes).toHaveLength(1);
    expect(mistakes[0]).toMatch(message);
    expect(options.density).toBe("comfortable");
    expect(options.locale).toBe("");
  });

  it.each([null, "x", 3, ["a"]])("ignore texts that are not an object of strings: %j", (texts) => {
    expect(Object.keys(parseOptions({ ...GIVEN, texts }).options.texts).filter((path) => path.includes("."))).toEqual([]);
  });
});

describe("the host's renderers", () => {
  afterEach(() => void vi.restoreAllMocks());

  const rendered = (render: () => unknown): Rendered => parseOptions({ ...GIVEN, renderHeading: render as () => Rendered }).options.renderHeading?.({} as AuditEvent);

  it("return text, in which every character is visible, and nodes", () => {
    expect(rendered(() => "<b>a\u202eb</b>")).toBe(`<b>a${visible("\u202e")}b</b>`);
    expect(visible("\u202e")).not.toBe("\u202e");
    const node = document.createElement("a");
    expect(rendered(() => node)).toBe(node);
    expect(rendered(() => null)).toBeNull();
  });

  it.each([
    ["anything else", () => ({ strings: ["<b>"], values: [], _$litType$: 1 })],
    ["an error", () => JSON.parse("{")],
  ])("leave the value to the viewer after %s, which is reported once", (_, render) => {
    const reported = vi.spyOn(console, "error").mockReturnValue();
    const { renderCell } = parseOptions({ ...GIVEN, renderCell: render as () => Rendered }).options;
    expect(renderCell?.("action", "a", {} as AuditEvent)).toBeNull();
    expect(renderCell?.("action", "b", {} as AuditEvent)).toBeNull();
    expect(reported).toHaveBeenCalledOnce();
    expect(reported.mock.calls[0]?.[0]).toBe("auditlane: renderCell:");
  });
});

describe("the host's range", () => {
  it.each(["", "7d", "1y", "2026-01-31T00:00:00Z..", "..2026-01-31T00:00:00Z", "2026-01-30T00:00:00Z..2026-01-31T00:00:00Z"])("%s is written as it is read", (text) => {
    const range = parseHostRange(text);
    expect(range).not.toBeNull();
    expect(range && hostRange(range)).toBe(text);
  });

  it.each(["7", "yesterday", "a..b", "2026-02-01T00:00:00Z..2026-01-01T00:00:00Z"])("%s is invalid", (text) => {
    expect(parseHostRange(text)).toBeNull();
  });
});

describe("replaced texts", () => {
  it("replace a text by its path, and keep the others", () => {
    const { texts, unknown } = replaceTexts(en, { "states.heading": "Activity" });
    expect(unknown).toEqual([]);
    expect(texts.states.heading).toBe("Activity");
    expect(texts.states.refresh).toBe(en.states.refresh);
    expect(en.states.heading).not.toBe("Activity");
  });

  it("name paths that do not lead to a text", () => {
    const { texts, unknown } = replaceTexts(en, { "states.headline": "x", states: "x", "__proto__.polluted": "x", "constructor.name": "x", "reading.column.sortBy": "x" });
    expect(unknown).toEqual(["states.headline", "states", "__proto__.polluted", "constructor.name", "reading.column.sortBy"]);
    expect(texts).toBe(en);
    expect(({} as { polluted?: string }).polluted).toBeUndefined();
  });
});

describe("two copies on one page", () => {
  afterEach(() => vi.restoreAllMocks());

  it("define each element once, and the second copy says that it is not used", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const [first, second] = [await copy(), await copy()];
    class One extends HTMLElement {}
    class Two extends HTMLElement {}
    first("auditlane-defined-once")(One);
    second("auditlane-defined-once")(Two);
    second("auditlane-of-the-second")(Two);
    expect(customElements.get("auditlane-defined-once")).toBe(One);
    expect(customElements.get("auditlane-of-the-second")).toBeUndefined();
    expect(warn).toHaveBeenCalledTimes(1);
  });
});

/** Returns a new copy of the module, in a page where the first loaded copy owns the elements. */
async function copy(): Promise<(name: string) => (element: CustomElementConstructor) => void> {
  const page = globalThis as { [key: symbol]: unknown };
  const owner = Symbol.for("auditlane.elements");
  if (!copies++) delete page[owner];
  vi.resetModules();
  return (await import("../src/elements/define.js")).customElement;
}

let copies = 0;

it("every element is defined once per page", () => {
  const sources = import.meta.glob<string>("../src/**/*.ts", { query: "?raw", eager: true, import: "default" });
  expect(Object.keys(sources).length).toBeGreaterThan(100);
  const unguarded = Object.entries(sources).filter(([, text]) => /customElement\b[^;]*"lit\/decorators/.test(text));
  expect(unguarded.map(([name]) => name)).toEqual([]);
});

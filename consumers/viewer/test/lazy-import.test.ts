import { beforeEach, describe, expect, it, vi } from "vitest";

import { failedUrl, LazyImports } from "../src/elements/lazy-import.js";

describe("a lazy import", () => {
  const onChange = vi.fn<() => void>();
  const failing = (): Promise<never> => Promise.reject(new TypeError("Failed to fetch"));
  let reachable: boolean;
  let imports: LazyImports;

  beforeEach(() => {
    reachable = true;
    imports = new LazyImports(() => Promise.resolve(reachable));
    onChange.mockReset();
    imports.addEventListener("change", onChange);
  });

  it("resolves to the module and reports nothing", async () => {
    expect(await imports.load(() => Promise.resolve(7))).toBe(7);
    expect(imports.failure).toBeNull();
    expect(onChange).not.toHaveBeenCalled();
  });

  it("reports once that a module is missing although the service responds", async () => {
    expect(await imports.load(failing)).toBeNull();
    expect(await imports.load(failing)).toBeNull();
    window.dispatchEvent(new Event("online"));
    imports.reconnected();
    expect(imports.failure).toBe("stale");
    expect(onChange).toHaveBeenCalledTimes(1);
  });

  it("clears the failure when a module can be loaded again", async () => {
    await imports.load(failing);
    await imports.load(() => Promise.resolve(7));
    expect(imports.failure).toBeNull();
    expect(onChange).toHaveBeenCalledTimes(2);
  });

  it.each([["the browser is online", () => window.dispatchEvent(new Event("online"))], ["a request succeeds", () => imports.reconnected()]])(
    "reports a missing connection until %s",
    async (_, reconnect) => {
      reachable = false;
      expect(await imports.load(failing)).toBeNull();
      expect(imports.failure).toBe("offline");
      reconnect();
      expect(imports.failure).toBeNull();
    },
  );

  it("tries the failed URL again with a query", async () => {
    const broken = new TypeError("Failed to fetch dynamically imported module: data:text/javascript,export%20const%20found=7//");
    expect(await imports.load<unknown>(() => Promise.reject(broken))).toMatchObject({ found: 7 });
    expect(imports.failure).toBeNull();
  });

  it("finds the URL in the errors of Chromium and Firefox", () => {
    const url = "https://example.com/chunks/a-1.js";
    expect(failedUrl(new TypeError(`Failed to fetch dynamically imported module: ${url}`))).toBe(url);
    expect(failedUrl(new TypeError(`error loading dynamically imported module: ${url}`))).toBe(url);
    expect(failedUrl(new TypeError("Importing a module script failed."))).toBe("");
    expect(failedUrl(new SyntaxError(`dynamically imported module: ${url}`))).toBe("");
  });
});

import { beforeEach, describe, expect, it, vi } from "vitest";

import { LazyImports } from "../src/elements/lazy-import.js";

describe("a lazy import", () => {
  const onChange = vi.fn<() => void>();
  const failing = (): Promise<never> => Promise.reject(new TypeError("Failed to fetch"));
  let imports: LazyImports;

  beforeEach(() => {
    imports = new LazyImports();
    onChange.mockReset();
    imports.addEventListener("change", onChange);
  });

  it("resolves to the module and reports nothing", async () => {
    expect(await imports.load(() => Promise.resolve(7))).toBe(7);
    expect(imports.failed).toBe(false);
    expect(onChange).not.toHaveBeenCalled();
  });

  it("reports once that a module is missing", async () => {
    expect(await imports.load(failing)).toBeNull();
    expect(await imports.load(failing)).toBeNull();
    expect(imports.failed).toBe(true);
    expect(onChange).toHaveBeenCalledTimes(1);
  });

  it("clears the failure when a module can be loaded again", async () => {
    await imports.load(failing);
    await imports.load(() => Promise.resolve(7));
    expect(imports.failed).toBe(false);
    expect(onChange).toHaveBeenCalledTimes(2);
  });
});

import { beforeEach, describe, expect, it, vi } from "vitest";

import { late } from "../src/elements/lazy-import.js";

describe("parts that are loaded late", () => {
  const told = vi.fn<() => void>();
  const away = (): Promise<never> => Promise.reject(new TypeError("Failed to fetch"));

  beforeEach(async () => {
    await late.load(() => Promise.resolve(7));
    told.mockReset();
    late.addEventListener("change", told);
  });

  it("hands on what came and says nothing", async () => {
    expect(await late.load(() => Promise.resolve(7))).toBe(7);
    expect(late.missing).toBe(false);
    expect(told).not.toHaveBeenCalled();
  });

  it("says once that a part is missing", async () => {
    expect(await late.load(away)).toBeNull();
    expect(await late.load(away)).toBeNull();
    expect(late.missing).toBe(true);
    expect(told).toHaveBeenCalledTimes(1);
  });

  it("takes it back when a part comes again", async () => {
    await late.load(away);
    await late.load(() => Promise.resolve(7));
    expect(late.missing).toBe(false);
    expect(told).toHaveBeenCalledTimes(2);
  });
});

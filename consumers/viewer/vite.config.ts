/** The build: one module an entry, into the server's static files, with the size of what a page loads first. */
import { readFileSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Manifest, Plugin } from "vite";
import { defineConfig } from "vitest/config";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const TARGET = resolve(HERE, process.env["AUDITLANE_VIEWER_OUT"] ?? "../../deploy/auditlane/server/pages/static/viewer");
const BUDGET_KB = 120; // gzipped, of an entry and everything that it imports statically

/** Vendors name these in their pages: the names stay, where all others change with the content. */
const STABLE = new Set(["auditlane-viewer", "auditlane-settings"]);

const entry = (name: string): string => resolve(HERE, "src/entries", `${name}.ts`);

export default defineConfig({
  base: "./",
  build: {
    outDir: TARGET,
    emptyOutDir: true,
    manifest: true,
    license: { fileName: "LICENSES.md" }, // of what is bundled, as they ask for
    target: "es2022",
    modulePreload: { polyfill: false },
    rolldownOptions: {
      preserveEntrySignatures: "exports-only",
      input: {
        "auditlane-viewer": entry("viewer"),
        "auditlane-settings": entry("settings"),
        page: entry("page"),
        embed: entry("embed"),
        console: entry("console"),
      },
      output: {
        entryFileNames: (chunk) => (STABLE.has(chunk.name) ? "[name].js" : "[name]-[hash].js"),
        chunkFileNames: "chunks/[name]-[hash].js",
        assetFileNames: "assets/[name]-[hash][extname]",
        // Few files at first: what several entries share would otherwise be a file a combination of them.
        codeSplitting: {
          groups: [
            { name: "lit", test: /node_modules[\\/](@lit|lit|lit-element|lit-html)[\\/]/, minShareCount: 2 },
            { name: "shared", test: /src[\\/](api|elements|i18n|model|styles)[\\/]/, minShareCount: 2 },
          ],
        },
      },
    },
  },
  plugins: [budget()],
  test: { environment: "happy-dom", include: ["test/**/*.test.ts"] },
});

/** Prints what each entry loads first, and fails past the budget. */
function budget(): Plugin {
  return {
    name: "budget",
    apply: "build",
    writeBundle: {
      order: "post",
      handler() {
        const manifest = JSON.parse(readFileSync(resolve(TARGET, ".vite/manifest.json"), "utf8")) as Manifest;
        const over: string[] = [];
        for (const [key, chunk] of Object.entries(manifest).filter(([, one]) => one.isEntry)) {
          const kb = [...loaded(manifest, key)].reduce((sum, file) => sum + weight(file), 0) / 1000;
          console.log(`${(chunk.name ?? key).padEnd(20)} first load ${kb.toFixed(1).padStart(6)} kB gzipped`);
          if (kb > BUDGET_KB) over.push(chunk.name ?? key);
        }
        if (over.length) {
          rmSync(resolve(TARGET, ".vite/manifest.json")); // half a build must not look like one
          throw new Error(`${over.join(", ")}: more than ${BUDGET_KB} kB at first; load parts of it when they are used.`);
        }
      },
    },
  };
}

function loaded(manifest: Manifest, key: string, found = new Set<string>()): Set<string> {
  const chunk = manifest[key];
  if (!chunk || found.has(chunk.file)) return found;
  found.add(chunk.file);
  for (const next of chunk.imports ?? []) loaded(manifest, next, found);
  for (const style of chunk.css ?? []) found.add(style);
  return found;
}

function weight(file: string): number {
  return gzipSync(readFileSync(resolve(TARGET, file)), { level: 9 }).length;
}

/** Builds one module per entry, and checks the size of what a page loads first. */
import { readFileSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Manifest, Plugin } from "vite";
import { defineConfig } from "vitest/config";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const TARGET = resolve(HERE, process.env["AUDITLANE_VIEWER_OUT"] ?? "../../deploy/auditlane/server/pages/static/viewer");
const BUDGET_KB = 110; // gzipped, for an entry with all its static imports

/** Host pages name these files, so their names are stable. All others change with their content. */
const STABLE = new Set(["auditlane-viewer", "auditlane-settings"]);

const entry = (name: string): string => resolve(HERE, "src/entries", `${name}.ts`);

/** Whether a module may be loaded first: what only the settings need is loaded with them, although they have an entry, too. */
function isShared(id: string): boolean {
  const settings = /src[\\/](model[\\/](structure[\\/]|action-form|link-form)|i18n[\\/]((en|de)[\\/])?settings|api[\\/]structure)/;
  return /src[\\/](api|elements|i18n|model|styles)[\\/]/.test(id) && !settings.test(id);
}

export default defineConfig({
  base: "./",
  build: {
    outDir: TARGET,
    emptyOutDir: true,
    manifest: true,
    license: { fileName: "LICENSES.md" }, // of the bundled packages, as they require
    target: "es2022",
    modulePreload: false, // a preload has no nonce, and a module whose preload was blocked cannot be imported
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
        // Limits the number of files; otherwise, each combination of entries would have its own shared file.
        codeSplitting: {
          groups: [
            { name: "lit", test: /node_modules[\\/](@lit|lit|lit-element|lit-html)[\\/]/, minShareCount: 2 },
            { name: "shared", test: isShared, minShareCount: 2 },
            // What the viewer's three entries load first, and at least one lazy chunk also uses.
            { name: "viewing", test: /src[\\/]viewer[\\/]((search|groups|download)[\\/]|[^\\/]+$)/, minShareCount: 4 },
            { name: "cells", test: /src[\\/]viewer[\\/]table[\\/]/, minShareCount: 4 }, // apart, for the settings' preview
          ],
        },
      },
    },
  },
  plugins: [compactStyles(), budget()],
  // Files share a worker's DOM and modules, since a separate DOM for each took six times the CPU.
  test: { environment: "happy-dom", include: ["test/**/*.test.ts"], isolate: false },
});

/** Removes comments and white space from `css` templates, which a minifier of JavaScript keeps. */
function compactStyles(): Plugin {
  const compact = (css: string): string => css.replace(/\/\*.*?\*\//gs, "").replace(/\s+/g, " ").replace(/ ?([{};]) ?/g, "$1");
  // Whatever is between the static parts may depend on the white space around it.
  const compactTemplate = (css: string): string => css.split(/(\$\{[^}]*\})/).map((part, index) => (index % 2 ? part : compact(part))).join("");
  return {
    name: "compact-styles",
    apply: "build",
    enforce: "pre",
    transform: {
      filter: { id: /src[\\/].*\.ts$/ },
      handler: (code) => ({ code: code.replace(/\bcss`([^`]*)`/g, (_, css: string) => `css\`${compactTemplate(css)}\``), map: null }),
    },
  };
}

/** Prints the size of what each entry loads first, and fails if it exceeds the budget. */
function budget(): Plugin {
  return {
    name: "budget",
    apply: "build",
    writeBundle: {
      order: "post",
      handler() {
        const manifest = JSON.parse(readFileSync(resolve(TARGET, ".vite/manifest.json"), "utf8")) as Manifest;
        const over: string[] = [];
        for (const [key, chunk] of Object.entries(manifest).filter(([, chunk]) => chunk.isEntry)) {
          const kb = [...loaded(manifest, key)].reduce((sum, file) => sum + weight(file), 0) / 1000;
          console.log(`${(chunk.name ?? key).padEnd(20)} first load ${kb.toFixed(1).padStart(6)} kB gzipped`);
          if (kb > BUDGET_KB) over.push(chunk.name ?? key);
        }
        if (over.length) {
          rmSync(resolve(TARGET, ".vite/manifest.json")); // an incomplete build must not look complete
          throw new Error(`${over.join(", ")}: more than ${BUDGET_KB} kB for the first load. Import rarely used modules lazily.`);
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

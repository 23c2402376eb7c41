// Bundles scripts and styles into ../static with the hash of their content in their names, and lists them in
// manifest.json. Run by hatch_build.py; entries are app.ts, base.css, and whatever lies in pages/.
//
// A page loads two scripts: its own, and the one that all pages share. Each entry of a page imports app.ts, so that what
// app.ts imports is in the shared one; each file more is a request that the first view waits for.

import { createHash } from "node:crypto";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const OUT = join(HERE, "..", "static");
const TARGET = ["chrome123", "firefox125", "safari17.5"];

/** The names of the files in `folder` that end in one of `endings`. */
async function filesIn(folder, ...endings) {
  const found = await readdir(folder, { withFileTypes: true });
  return found.filter((f) => f.isFile() && endings.includes(extname(f.name))).map((f) => join(folder, f.name));
}

const common = { bundle: true, minify: true, target: TARGET, write: false, outdir: OUT, legalComments: "none" };
const pages = join(HERE, "pages");

const results = await Promise.all([
  build({
    ...common,
    entryPoints: [join(HERE, "app.ts"), ...(await filesIn(pages, ".ts"))],
    format: "esm",
    splitting: true,
    metafile: true,
    entryNames: "[name]-[hash]",
    chunkNames: "shared-[hash]",
  }),
  // By itself: what it has in common with the pages would be one file more for each of them.
  build({
    ...common, entryPoints: [join(HERE, "live_worker.ts")], format: "esm", metafile: true, entryNames: "[name]-[hash]",
  }),
  // Stands in the page and runs before the first paint, so it is no module: modules wait for the document.
  build({
    ...common, entryPoints: [join(HERE, "theme.ts")], format: "iife", metafile: true, entryNames: "[name]-[hash]",
  }),
  build({
    ...common,
    entryPoints: [join(HERE, "base.css"), ...(await filesIn(pages, ".css"))],
    metafile: true,
    entryNames: "[name]-[hash]",
  }),
]);

const entries = {};
const imports = {};
for (const { metafile } of results) {
  for (const [path, output] of Object.entries(metafile.outputs)) {
    if (!output.entryPoint) continue;
    const name = basename(output.entryPoint).replace(/\.ts$/, ".js");
    if (name in entries) throw new Error(`Two entries would be called ${name}; rename one of them.`);
    entries[name] = basename(path);
    imports[name] = output.imports.filter((i) => i.kind === "import-statement").map((i) => basename(i.path));
  }
}

await mkdir(OUT, { recursive: true });
const written = new Set(["manifest.json"]);
const version = createHash("sha256");
for (const file of results.flatMap((r) => r.outputFiles).sort((a, b) => a.path.localeCompare(b.path))) {
  version.update(file.contents);
  written.add(basename(file.path)).add(`${basename(file.path)}.gz`);
  await writeFile(file.path, file.contents);
  await writeFile(`${file.path}.gz`, gzipSync(file.contents, { level: 9 }));
}
const manifest = { version: version.digest("hex").slice(0, 12), entries, imports };
await writeFile(join(OUT, "manifest.json"), `${JSON.stringify(manifest, null, 1)}\n`);
for (const name of await readdir(OUT)) {
  if (!written.has(name)) await rm(join(OUT, name));
}

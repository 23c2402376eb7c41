// Bundles scripts and styles into ../static with the hash of their content in their names, and lists them in
// manifest.json. Run by hatch_build.py; entries are app.ts, base.css, and page.ts and page.css of every folder in pages/,
// which are called after it: jobs.js, jobs.css.
//
// A page loads two scripts: its own (app.js where it has none), and the one that all pages share. Each entry of a page imports app.ts, so that what
// app.ts imports is in the shared one; each file more is a request that the first view waits for.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const OUT = join(HERE, "..", "static");
const PAGES = join(HERE, "..", "pages");
const TARGET = ["chrome123", "firefox125", "safari17.5"];

/** The files called `name` of all pages, each to be called after its page. */
async function ofPages(name) {
  const folders = (await readdir(PAGES, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const found = folders.map(({ name: out }) => ({ in: join(PAGES, out, name), out })).filter((entry) => existsSync(entry.in));
  return found.sort((a, b) => a.out.localeCompare(b.out));
}

const own = (file) => ({ in: join(HERE, file), out: basename(file).replace(/\.\w+$/, "") });

const common = { bundle: true, minify: true, target: TARGET, write: false, outdir: OUT, legalComments: "none" };

const results = await Promise.all([
  build({
    ...common,
    entryPoints: [own("app.ts"), ...(await ofPages("page.ts"))],
    format: "esm",
    splitting: true,
    metafile: true,
    entryNames: "[name]-[hash]",
    chunkNames: "shared-[hash]",
  }),
  // By itself: what it has in common with the pages would be one file more for each of them.
  build({
    ...common, entryPoints: [own("live_worker.ts")], format: "esm", metafile: true, entryNames: "[name]-[hash]",
  }),
  // Stands in the page and runs before the first paint, so it is no module: modules wait for the document.
  build({
    ...common, entryPoints: [own("theme.ts")], format: "iife", metafile: true, entryNames: "[name]-[hash]",
  }),
  build({
    ...common,
    entryPoints: [own("base.css"), ...(await ofPages("page.css"))],
    metafile: true,
    entryNames: "[name]-[hash]",
  }),
]);

const entries = {};
const imports = {};
for (const { metafile } of results) {
  for (const [path, output] of Object.entries(metafile.outputs)) {
    if (!output.entryPoint) continue;
    const name = basename(path).replace(/-[^-]+(\.\w+)$/, "$1"); // without the hash
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

// The package as it is published: packed, installed into an empty project, and used from there.

import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { openBrowser } from "../../../test/e2e/browser.ts";
import { startApp } from "../../../test/e2e/harness.ts";
import type { RunningApp } from "../../../test/e2e/harness.ts";
import { imports, installClient, packageRoot, program, runProgram, used } from "./installed.ts";
import type { Installed } from "./installed.ts";

const run = promisify(execFile);
/** What a user downloads, bytes. */
const tarballBytesMax = 70_000;
/** What it adds to a page, minified, bytes. */
const bundleBytesMax = 60_000;
const key = "host-key";

/** Serves one empty page, of another origin than the app's. */
let pages: Server;
let origin: string;
let app: RunningApp;
let installed: Installed;
beforeAll(async () => {
  pages = createServer((_, response) => response.setHeader("content-type", "text/html").end("<title>A page</title>"));
  pages.listen(0, "127.0.0.1");
  await once(pages, "listening");
  origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
  const keys = JSON.stringify({ master: "master-key", host: { default: key } });
  app = await startApp({
    env: { STREAMKIT_AUTH: "key", STREAMKIT_LOCAL_KEYS: keys, STREAMKIT_CORS_ORIGINS: origin },
  });
  installed = await installClient(join(inject("runFolder"), "client-user"));
}, 180_000);
afterAll(async () => {
  await app.stop();
  pages.close();
});

/** What npm runs on, which is the system's, beside the one of the tests. */
const nodes = [process.execPath, process.env["npm_node_execpath"] ?? process.execPath];

test.each([
  ["ESM", "mjs"],
  ["CommonJS", "cjs"],
] as const)("it works from %s, with nothing else installed", async (_, form) => {
  for (const node of nodes) expect(await runProgram(installed, form, node, { url: app.url, key })).toBe(used);
});

test("it works in a browser, bundled, from a page of another origin", { timeout: 120_000 }, async () => {
  const { outputFiles } = await build({
    stdin: { contents: `${imports.mjs}${program}globalThis.use = use;`, resolveDir: installed.project },
    ...{ bundle: true, format: "iife", platform: "browser", minify: true, write: false },
  });
  const content = outputFiles[0]?.text ?? "";
  expect(content.length).toBeLessThan(bundleBytesMax);
  const browser = await openBrowser();
  try {
    const page = await browser.newPage();
    await page.goto(origin);
    await page.addScriptTag({ content });
    expect(await page.evaluate(`use(${JSON.stringify(app.url)}, ${JSON.stringify(key)})`)).toBe(used);
  } finally {
    await browser.close();
  }
});

test("it has what a user needs and nothing of its making", async () => {
  const folder = join(installed.project, "node_modules/streamkit-client");
  const { stdout } = await run("npm", ["pack", "--dry-run", "--json"], { cwd: packageRoot });
  const files = [...stdout.matchAll(/"path": "([^"]+)"/g)].map(([, path]) => path!).toSorted();
  expect(files).toEqual([
    "LICENSE",
    "README.md",
    "dist/index.cjs",
    "dist/index.d.cts",
    "dist/index.d.ts",
    "dist/index.js",
    "package.json",
  ]);
  expect((await stat(installed.tarball)).size).toBeLessThan(tarballBytesMax);
  const manifest = JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as Record<string, unknown>;
  expect(manifest).toMatchObject({ license: "MIT", type: "module" });
  expect(manifest).not.toHaveProperty("dependencies");
  expect(await readFile(join(folder, "dist/index.js"), "utf8")).not.toMatch(/from "node:|require\(/);
});

test("its types are found from ESM and from CommonJS, under the strictest settings", async () => {
  const compiler = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
  const { project } = installed;
  const source = `import { StreamkitClient } from "streamkit-client";
    export const sequence: Promise<number> = new StreamkitClient("http://a.example")
      .getStoreClient("s").getSpaceClient<{ n: number }>("o").getSegmentClient("1")
      .append({ payload: { n: 1 } }).then(({ lastSequence }) => lastSequence);\n`;
  const lib = ["ES2022", "DOM", "DOM.AsyncIterable", "ESNext.Disposable"];
  const options = { strict: true, exactOptionalPropertyTypes: true, noEmit: true, module: "NodeNext", types: [], lib };
  await writeFile(join(project, "typed.mts"), source);
  await writeFile(join(project, "typed.cts"), source);
  await writeFile(
    join(project, "tsconfig.json"),
    JSON.stringify({ compilerOptions: options, files: ["typed.mts", "typed.cts"] }),
  );
  const { stdout } = await run(process.execPath, [compiler, "-p", project]).catch(
    (error: unknown) => error as { stdout: string },
  );
  expect(stdout).toBe("");
});

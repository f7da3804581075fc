// The package as it is published: packed, installed into an empty project, and used from there.

import { execFile } from "node:child_process";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { startApp } from "../../../test/e2e/harness.ts";
import type { RunningApp } from "../../../test/e2e/harness.ts";

const run = promisify(execFile);
const packageRoot = join(import.meta.dirname, "..");
/** What a user downloads, bytes. */
const tarballBytesMax = 60_000;

let app: RunningApp;
let project: string;
let tarball: string;
beforeAll(async () => {
  app = await startApp();
  project = join(inject("runFolder"), "client-user");
  await mkdir(project, { recursive: true });
  await writeFile(join(project, "package.json"), '{ "name": "user", "private": true }\n');
  await run("npm", ["run", "build"], { cwd: packageRoot });
  const packed = await run("npm", ["pack", "--json", "--pack-destination", project], { cwd: packageRoot });
  tarball = join(project, /"filename": "([^"]+)"/.exec(packed.stdout)![1]!);
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund", tarball], { cwd: project });
}, 180_000);
afterAll(() => app.stop());

const program = `
  const store = new StreamkitClient(process.argv[2]).getStoreClient(crypto.randomUUID());
  const segment = store.getSpaceClient("orders").getSegmentClient("1");
  const use = async () => {
    await segment.append([{ payload: { n: 1 } }, { payload: { n: 2 } }], { expected: "none" });
    const seen = [];
    for await (const { payload } of segment.follow({ limit: 2 })) seen.push(payload.n);
    const refused = await segment.append({ payload: 3 }, { expected: 1 }).catch((error) => error);
    console.log(seen.join(), isStreamkitError(refused, "sequence_mismatch"));
  };
  use();
`;

/** What npm runs on, which is the system's, beside the one of the tests. */
const nodes = [process.execPath, process.env["npm_node_execpath"] ?? process.execPath];

test.each([
  ["ESM", "user.mjs", 'import { isStreamkitError, StreamkitClient } from "streamkit-client";'],
  ["CommonJS", "user.cjs", 'const { isStreamkitError, StreamkitClient } = require("streamkit-client");'],
])("it works from %s, with nothing else installed", async (_, name, first) => {
  await writeFile(join(project, name), `${first}\n${program}`);
  for (const node of nodes) {
    const { stdout } = await run(node, [name, app.url], { cwd: project });
    expect(stdout).toBe("1,2 true\n");
  }
});

test("it has what a user needs and nothing of its making", async () => {
  const installed = join(project, "node_modules/streamkit-client");
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
  expect((await stat(tarball)).size).toBeLessThan(tarballBytesMax);
  const manifest = JSON.parse(await readFile(join(installed, "package.json"), "utf8")) as Record<string, unknown>;
  expect(manifest).toMatchObject({ license: "MIT", type: "module" });
  expect(manifest).not.toHaveProperty("dependencies");
  expect(await readFile(join(installed, "dist/index.js"), "utf8")).not.toMatch(/from "node:|require\(/);
});

test("its types are found from ESM and from CommonJS, under the strictest settings", async () => {
  const compiler = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
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

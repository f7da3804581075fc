// The cart of the README, as it stands.

import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { expect, inject, test } from "vitest";
import { requireBanner } from "../../../scripts/build.ts";
import { serverUrl, useLocalServer } from "./given.ts";

useLocalServer();

test("the README's cart and its projection run", async () => {
  const root = join(import.meta.dirname, "../../..");
  const readme = await readFile(join(import.meta.dirname, "../README.md"), "utf8");
  const [, code = ""] = /```ts\n(.*?)```/s.exec(readme) ?? [];
  const source = join(inject("runFolder"), "emmett-readme.ts");
  await writeFile(source, code.replace("http://127.0.0.1:7071", serverUrl()));
  const alias = {
    "streamkit-client": join(root, "packages/client/src/index.ts"),
    "emmett-streamkit": join(root, "packages/emmett/src/index.ts"),
  };
  const outfile = source.replace(".ts", ".mjs");
  await build({
    ...{ entryPoints: [source], outfile, bundle: true, format: "esm", platform: "node", alias },
    nodePaths: ["packages/emmett/node_modules", "node_modules"].map((folder) => join(root, folder)),
    banner: { js: requireBanner },
  });
  const { stdout } = await promisify(execFile)(process.execPath, [outfile], { cwd: root });
  expect(stdout).toBe("Map(1) { 'book' => 2 }\n");
});

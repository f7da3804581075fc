// The README's commands, run as they stand, with the package as it is published.

import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Command } from "commander";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { Child } from "../../../scripts/local/child.ts";
import { createProgram } from "../src/program.ts";

const run = promisify(execFile);

let folder: string;
let readme: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "streamkit-readme-"));
  readme = await readFile(join(import.meta.dirname, "../README.md"), "utf8");
  // What `npm install` makes of it: the package among the modules, and `npx` finds its program.
  await mkdir(join(folder, "node_modules"));
  await symlink(inject("cliRoot"), join(folder, "node_modules/streamkit"));
  await mkdir(join(folder, "bin"));
  const program = join(inject("cliRoot"), "dist/cli.js");
  await writeFile(join(folder, "bin/npx"), `#!/bin/sh\nshift\nexec "${process.execPath}" "${program}" "$@"\n`);
  await chmod(join(folder, "bin/npx"), 0o755);
});
afterAll(() => rm(folder, { recursive: true }));

const blocks = (language: string): readonly string[] =>
  [...readme.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))].map(([, text = ""]) => text);

const environment = (): NodeJS.ProcessEnv => ({
  PATH: [join(folder, "bin"), dirname(process.execPath), process.env["PATH"]].join(delimiter),
  HOME: folder,
});

/** Each line of a session, by itself: what fails is named. */
async function session(lines: readonly string[], env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const outputs: string[] = [];
  for (const line of lines) {
    const { stdout } = await run("sh", ["-ec", line], { cwd: folder, env });
    outputs.push(stdout);
  }
  return outputs;
}

test("the session runs against `streamkit dev`, which keeps its folder", { timeout: 180_000 }, async () => {
  const [start = "", calls = ""] = ["streamkit dev", "export STREAMKIT_URL"].map((mark) =>
    blocks("sh").find((block) => block.includes(mark)),
  );
  const args = ["-ec", `exec ${start.trim()} --port 0 --json`];
  const dev = new Child({ command: "sh", args, cwd: folder, env: environment(), output: "kept", channel: "none" });
  try {
    const url = await until(() => /"url":"([^"]+)"/.exec(dev.output)?.[1]);
    const [first = "", ...lines] = calls.trim().split("\n");
    const store = /STREAMKIT_STORE=(\S+)/.exec(first)?.[1] ?? "";
    const outputs = await session(lines, { ...environment(), STREAMKIT_URL: url, STREAMKIT_STORE: store });
    const shown = Object.fromEntries(lines.map((line, index) => [line, outputs[index] ?? ""]));
    expect(shown["npx streamkit spaces"]).toBe("numbers\norders\n");
    expect(shown["npx streamkit read orders order-1 --from 2"]).toMatch(/ 2 {"type":"shipped"}[^]* 3 {"type":"paid"}/);
    expect(shown["npx streamkit tail numbers all -n 3"]?.match(/ all \d+ \d+$/gm)).toEqual([
      " all 9998 9998",
      " all 9999 9999",
      " all 10000 10000",
    ]);
    const restored = lines.findIndex((line) => line.startsWith("npx streamkit import"));
    expect(outputs[restored]).toBe("The store holds what backup.ndjson does, 10,003 entries: read back and equal.\n");
  } finally {
    await dev.stop("SIGINT");
  }
  expect(await dev.exited).toBe(130);
  expect(await readFile(join(folder, ".streamkit/tables.journal"))).not.toHaveLength(0);
});

test("the check runs against a storage account, and says when there is no such store", async () => {
  const [line = ""] = blocks("sh").filter((block) => block.includes("streamkit fsck"));
  // Tables of its own: other pages show the same store.
  const env = {
    ...environment(),
    AzureWebJobsStorage: inject("azurite"),
    STREAMKIT_TABLE_PREFIX: `readme${randomUUID().slice(0, 8)}`,
  };
  const refused = await run("sh", ["-ec", line.trim()], { cwd: folder, env }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("has no events of store") as string });
});

test("every command is in the README", () => {
  const program = createProgram({ env: {} } as never, "0.0.0", () => undefined);
  const pathsOf = (command: Command, path: string): readonly string[] =>
    command.commands.length === 0
      ? [path]
      : command.commands.flatMap((child) => pathsOf(child, `${path} ${child.name()}`));
  const missing = pathsOf(program, "npx streamkit").filter(
    (path) => !readme.includes(`${path} `) && !readme.includes(`${path}\n`),
  );
  expect(missing).toEqual([]);
});

test("the program for tests runs from its first line to its last", async () => {
  const path = join(folder, `${randomUUID()}.mjs`);
  await writeFile(path, blocks("ts").join("\n"));
  const { stdout } = await run(process.execPath, [path], { cwd: folder });
  expect(stdout).toBe("{ type: 'placed', item: 'book' }\n");
});

async function until<T>(look: () => T | undefined): Promise<T> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error("Not in time.");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

// The lint rule that holds which folder imports which, tried on imports as they would be written.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ESLint } from "eslint";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const rule = "streamkit/import-directions";
const eslint = new ESLint({
  cwd: root,
  ruleFilter: ({ ruleId }) => ruleId === rule,
  // Types are of no use to this rule, and the files that are tried need not exist.
  overrideConfig: { files: ["**/*.ts"], languageOptions: { parserOptions: { projectService: false } } },
});

async function complaints(file: string, code: string): Promise<readonly string[]> {
  const results = await eslint.lintText(code, { filePath: join(root, file) });
  return results.flatMap(({ messages }) => messages.map(({ message }) => message));
}

test.for([
  [
    "src/store/azure/a.ts",
    "../../../test/doubles/level/keys.ts",
    "src/store/azure does not import test/doubles/level.",
  ],
  [
    "test/doubles/level/a.ts",
    "../../../src/store/azure/rows/keys.ts",
    "test/doubles/level does not import src/store/azure/rows.",
  ],
  [
    "src/store/azure/fsck/a.ts",
    "../../../../test/doubles/level/keys.ts",
    "src/store/azure/fsck does not import test/doubles/level.",
  ],
  ["src/store/a.ts", "./azure/factory.ts", "src/store does not import src/store/azure."],
  ["src/store/azure/rows/a.ts", "../log/log-reader.ts", "src/store/azure/rows does not import src/store/azure/log."],
  ["src/store/azure/apply/a.ts", "../append/plan.ts", "src/store/azure/apply does not import src/store/azure/append."],
  ["src/store/azure/apply/a.ts", "../../../lease/leases.ts", "src/store/azure/apply does not import src/lease."],
  ["src/store/azure/space/a.ts", "../factory.ts", "src/store/azure/space does not import src/store/azure."],
  ["src/server/a.ts", "../store/azure/log/probe.ts", "src/server does not import src/store/azure/log."],
  ["src/store/a.ts", "../table/port.ts", "src/store does not import src/table."],
  ["src/server/a.ts", "../store/azure/rows/keys.ts", "src/server does not import src/store/azure/rows."],
  ["src/core/a.ts", "../settings.ts", "src/core does not import src."],
  ["src/core/a.ts", "./../server/endpoint.ts", "src/core does not import src/server."],
  ["src/server/a.ts", "../runtime.ts", "src/server does not import src."],
  ["src/wire/a.ts", "../schedule.ts", "src/wire does not import src."],
  ["src/notify/a.ts", "../functions-app.ts", "src/notify does not import src."],
  ["scripts/local/a.ts", "../../src/core/clock.ts", "scripts/local does not import src/core."],
  ["src/a.ts", "../scripts/local/host.ts", "src does not import scripts/local."],
  ["src/a.ts", "../test/doubles/level/factory.ts", "src does not import test/doubles/level."],
  ["functions/a.ts", "../scripts/local/host.ts", "functions does not import scripts/local."],
  ["functions/a.ts", "../test/doubles/level/factory.ts", "functions does not import test/doubles/level."],
  ["functions/a.ts", "../src/store/azure/factory.ts", "functions does not import src/store/azure."],
  ["src/core/a.ts", "../../test/system.ts", "src/core does not import test/system.ts."],
] as const)("%s may not import %s, in whatever way", async ([file, specifier, complaint]) => {
  for (const code of [
    `import { a } from "${specifier}";`,
    `import type { A } from "${specifier}";`,
    `import "${specifier}";`,
    `export { a } from "${specifier}";`,
    `export * from "${specifier}";`,
    `export const a = import("${specifier}");`,
    `export type A = import("${specifier}").A;`,
  ]) {
    expect(await complaints(file, code), code).toEqual([complaint]);
  }
});

test.for([
  ["src/core/a.ts", "./clock.ts"],
  ["src/store/azure/fsck/a.ts", "../../../table/port.ts"],
  ["src/store/azure/a.ts", "../store.ts"],
  ["src/store/azure/append/a.ts", "../apply/applier.ts"],
  ["src/store/azure/append/a.ts", "../../../lease/leases.ts"],
  ["test/doubles/level/a.ts", "../../../src/store/work.ts"],
  ["src/server/a.ts", "../wire/parse.ts"],
  ["src/a.ts", "./store/azure/factory.ts"],
  ["functions/a.ts", "../src/runtime.ts"],
  ["functions/a.ts", "../src/server/endpoint.ts"],
  ["src/core/a.ts", "node:crypto"],
  ["test/unit/a.ts", "../doubles/level/factory.ts"],
  ["scripts/a.ts", "../scripts/local/settings.ts"],
] as const)("%s may import %s", async ([file, specifier]) => {
  expect(await complaints(file, `import { a } from "${specifier}"; export const b = import("${specifier}");`)).toEqual(
    [],
  );
});

test("an import whose path is computed is refused", async () => {
  expect(await complaints("src/core/a.ts", 'export const a = import("../server/" + "serve.ts");')).toEqual([
    "What is imported is written out.",
  ]);
});

test("the table of the architecture says the same", async () => {
  const config = (await eslint.calculateConfigForFile(join(root, "src/core/ids.ts"))) as {
    readonly rules: Readonly<Record<string, readonly [number, Readonly<Record<string, readonly string[]>>]>>;
  };
  const [, allowed] = config.rules[rule]!;
  const page = readFileSync(join(root, "docs/architecture.md"), "utf8");
  const rows = [...page.matchAll(/^\| `([a-z]+)\/` +\| ([^|]+) \|$/gm)];
  const rooms = rows.map(([, room]) => `src/store/azure/${room!}`);
  expect(rooms.length).toBeGreaterThanOrEqual(9);
  const folders = [...page.matchAll(/^\| `([a-z/]+)\/` +\|[^|]*\| ([a-z/, ]+?) +\|$/gm)];
  expect(folders.length).toBeGreaterThanOrEqual(10);
  for (const [, folder, imports] of folders) {
    const told = imports === "nothing" ? [] : imports!.split(", ").filter((name) => name !== "its rooms");
    const within = imports!.includes("its rooms") ? rooms : [];
    expect(new Set(allowed[`src/${folder}`]), folder).toEqual(
      new Set([...told.map((name) => `src/${name}`), ...within]),
    );
  }
  for (const [floor, room] of rooms.entries()) {
    const [, besides] = /; imports (\w+) too/.exec(rows[floor]![2]!) ?? [];
    const below = ["src/core", "src/codec", "src/table", "src/store", "src/jobs", ...rooms.slice(0, floor)];
    if (besides !== undefined) below.push(`src/${besides}`);
    expect(new Set(allowed[room]), room).toEqual(new Set(below));
  }
});

// What `npm start` and `npm test` do before anything else, in a small project whose one package is in a folder beside
// it.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const script = join(import.meta.dirname, "../../../scripts/install.js");
let root = "";

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "streamkit-install-"));
  for (const folder of ["scripts", "dependency"]) mkdirSync(join(root, folder));
  cpSync(script, join(root, "scripts/install.js"));
  const scripts = { pretest: "node scripts/install.js", test: "node main.js" };
  write("package.json", {
    name: "project",
    version: "1.0.0",
    type: "module",
    scripts,
    dependencies: dependency("1.0.0"),
  });
  writeFileSync(join(root, "main.js"), 'import { name } from "dependency"; console.log(`found ${name}`);\n');
  writeFileSync(join(root, "dependency/index.js"), 'export const name = "the dependency";\n');
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

test("a fresh clone is installed by the first npm test, and the second touches nothing", () => {
  const first = npmTest();
  expect(first).toMatchObject({ status: 0, installs: true });
  expect(first.output).toContain("found the dependency");
  expect(install()).toMatchObject({ status: 0, installs: false });
});

test("another lock file is installed anew", () => {
  install();
  write("package.json", { ...manifest, dependencies: dependency("2.0.0") });
  expect(install()).toMatchObject({ status: 0, installs: true });
  expect(install()).toMatchObject({ status: 0, installs: false });
});

test("an install that broke off is made again", () => {
  install();
  rmSync(join(root, "node_modules/.package-lock.json"));
  expect(install()).toMatchObject({ status: 0, installs: true });
});

test("an optional package that is not for this machine is not missed", () => {
  install();
  const foreign = { version: "1.0.0", optional: true, os: ["nowhere"] };
  write("package-lock.json", { ...lock, packages: { ...lock.packages, "node_modules/foreign": foreign } });
  expect(install()).toMatchObject({ status: 0, installs: false });
});

test("a lock file that cannot be installed ends the command before it starts", () => {
  rmSync(join(root, "package-lock.json"));
  const refused = npmTest();
  expect(refused.status).not.toBe(0);
  expect(refused.output).toContain("could not be installed");
  expect(refused.output).not.toContain("found the dependency");
});

let manifest: object = {};
let lock: { readonly packages: object } & Readonly<Record<string, unknown>> = { packages: {} };

function write(file: string, content: object): void {
  if (file === "package.json") manifest = content;
  writeFileSync(join(root, file), JSON.stringify(content));
}

/** Puts the package, in this version, into its folder and into the lock file; what the project then says it needs. */
function dependency(version: string): Readonly<Record<string, string>> {
  write("dependency/package.json", { name: "dependency", version, type: "module", main: "index.js" });
  const dependencies = { dependency: "file:dependency" };
  lock = {
    ...{ name: "project", version: "1.0.0", lockfileVersion: 3, requires: true },
    packages: {
      "": { name: "project", version: "1.0.0", dependencies },
      dependency: { version },
      "node_modules/dependency": { resolved: "dependency", link: true },
    },
  };
  write("package-lock.json", lock);
  return dependencies;
}

interface Run {
  readonly status: number | null;
  readonly installs: boolean;
  readonly output: string;
}

const npmTest = (): Run => run("npm test");
/** The script alone, which is what comes before `npm test`. */
const install = (): Run => run("node scripts/install.js");

function run(command: string): Run {
  const env = { ...process.env, npm_config_offline: "true" };
  const { status, stdout, stderr } = spawnSync(command, { cwd: root, env, encoding: "utf8", shell: true });
  const output = stdout + stderr;
  return { status, installs: output.includes("Installing the packages"), output };
}

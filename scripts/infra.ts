// `npm run infra`: judges infra/ with the Bicep compiler. It has no diagnostics and is formatted; what each parameter
// file and each variant of test/infra deploys is what its snapshot says; what must be refused is refused with its
// sentence.
//
// `--update` writes the snapshots anew: what changed in them is what a deployment will change. `--report` lists API
// versions that have grown old; that is never a failure, since it would come by itself. Without a compiler a person is
// told, and CI fails.

import { createHash } from "node:crypto";
import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { refused } from "../test/infra/refused.ts";
import { findCompiler, leftOut } from "./bicep/compiler.ts";
import { BicepServer } from "./bicep/rpc.ts";
import type { Diagnostic, Place } from "./bicep/rpc.ts";

const root = join(import.meta.dirname, "..");
const cache = join(root, ".cache/infra");
const main = join(root, "infra/main.bicep");
const find = (pattern: string): readonly string[] => globSync(pattern, { cwd: root }).sort();
const parameterFiles = [...find("infra/*.bicepparam"), ...find("test/infra/variants/*.bicepparam")];
const templates = ["infra/main.bicep", ...find("infra/modules/*.bicep")];
const snapshotOf = (file: string): string => `test/infra/snapshots/${basename(file, ".bicepparam")}.json`;

/** Made up: a snapshot is the same on every machine. */
const place: Place = {
  tenantId: "11111111-1111-4111-8111-111111111111",
  subscriptionId: "22222222-2222-4222-8222-222222222222",
  location: "westeurope",
  deploymentName: "streamkit",
};

/** Parameter files read these from the environment: a snapshot is that of their defaults. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(AZURE|STREAMKIT)_/.test(name)));

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** Every problem, as a line or more for a person. */
async function problems(bicep: BicepServer, update: boolean): Promise<readonly string[]> {
  const found: string[] = [];
  const diagnostics: Diagnostic[] = [...(await bicep.ask("bicep/compile", { path: main })).diagnostics];
  for (const file of parameterFiles) {
    const answer = await bicep.ask("bicep/compileParams", { path: join(root, file), parameterOverrides: {} });
    diagnostics.push(...answer.diagnostics);
  }
  found.push(...new Set(diagnostics.map(lineOf)));

  const reached = (await bicep.ask("bicep/getFileReferences", { path: main })).filePaths;
  const unreached = templates.filter((path) => !reached.includes(join(root, path)));
  found.push(...unreached.map((path) => `${path}: infra/main.bicep does not reach it.`));

  for (const path of [...templates, ...parameterFiles]) {
    const { contents } = await bicep.ask("bicep/format", { path: join(root, path) });
    if (contents === read(path)) continue;
    if (update) writeFileSync(join(root, path), contents);
    else found.push(`${path}: not formatted. \`npm run infra -- --update\` does it.`);
  }

  if (diagnostics.some(({ level }) => level === "Error")) return found;
  found.push(...(await differences(bicep, update)), ...(await taken(bicep)));
  return found;
}

/** What is deployed otherwise than the snapshots say. */
async function differences(bicep: BicepServer, update: boolean): Promise<readonly string[]> {
  const found: string[] = [];
  for (const file of parameterFiles) {
    const path = snapshotOf(file);
    const metadata = place;
    const answer = await bicep.ask("bicep/getSnapshot", { path: join(root, file), metadata, externalInputs: [] });
    const now = settled(answer.snapshot);
    const was = existsSync(join(root, path)) ? read(path) : "";
    if (now === was) continue;
    if (update) {
      writeFileSync(join(root, path), now);
      say(`${path}: written.`);
      continue;
    }
    const other = join(cache, basename(path));
    writeFileSync(other, now);
    const shown = ["diff", "--no-index", "--no-color", "--unified=2", "--", join(root, path), other];
    const { stdout } = spawnSync("git", shown, { encoding: "utf8" });
    found.push(
      `${path}: ${file} deploys something else. Is it meant? \`npm run infra -- --update\` says so.\n${stdout}`,
    );
  }
  const stale = find("test/infra/snapshots/*").filter((path) => !parameterFiles.map(snapshotOf).includes(path));
  found.push(...stale.map((path) => `${path}: no parameter file has this snapshot.`));
  return found;
}

/** The compiler gives outputs in another order each time. */
function settled(snapshot: string): string {
  const { outputs, ...rest } = JSON.parse(snapshot) as { readonly outputs: Readonly<Record<string, unknown>> };
  const sorted = Object.fromEntries(Object.entries(outputs).sort(([one], [other]) => (one < other ? -1 : 1)));
  return `${JSON.stringify({ ...rest, outputs: sorted }, null, 2)}\n`;
}

/** What must be refused and is not, or with other words. */
async function taken(bicep: BicepServer): Promise<readonly string[]> {
  const found: string[] = [];
  for (const [at, { parameters, says }] of refused.entries()) {
    const path = join(cache, `refused-${at}.bicepparam`);
    const all = { environmentName: "'prod'", location: "'westeurope'", ...parameters };
    const lines = Object.entries(all).map(([name, value]) => `param ${name} = ${value}\n`);
    writeFileSync(path, `using '../../infra/main.bicep'\n${lines.join("")}`);
    const said = await bicep.ask("bicep/getSnapshot", { path, metadata: place, externalInputs: [] }).then(
      () => "nothing: it is deployed",
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    if (!said.includes(says)) found.push(`${JSON.stringify(parameters)}: expected "${says}", got "${said}"`);
    rmSync(path);
  }
  return found;
}

function lineOf({ source, range, level, code, message }: Diagnostic): string {
  return `${relative(root, source)}:${range.start.line + 1}:${range.start.char + 1}: ${level.toLowerCase()} ${code}: ${message}`;
}

/** Of everything that a judgement depends on: what was found good is not judged again. */
function fingerprint(version: string): string {
  const files = find("{infra,test/infra,scripts/bicep}/**").filter((path) => /\.\w+$/.test(path));
  const hash = createHash("sha256").update(version);
  for (const path of [...files, "scripts/infra.ts"]) hash.update(path).update("\0").update(read(path)).update("\0");
  return hash.digest("hex");
}

/** The rule depends on the date, so the gate leaves it out. */
function report(compiler: string): void {
  const config = JSON.parse(read("infra/bicepconfig.json")) as {
    analyzers: { core: { rules: Record<string, { level: string }> } };
  };
  config.analyzers.core.rules["use-recent-api-versions"] = { level: "warning" };
  const path = join(cache, "report.bicepconfig.json");
  writeFileSync(path, JSON.stringify(config));
  const { stdout, stderr } = spawnSync(compiler, ["lint", main, "--config", path], { env, encoding: "utf8" });
  say(`${stdout}${stderr}`.trim() || "All API versions are recent.");
}

const { values: options } = parseArgs({
  options: { update: { type: "boolean", default: false }, report: { type: "boolean", default: false } },
});
const compiler = findCompiler(root, process.env);
const good = join(cache, "good");
mkdirSync(cache, { recursive: true });
if (compiler.kind === "missing") {
  const { line, exitCode } = leftOut(compiler, process.env);
  say(line);
  process.exitCode = exitCode;
} else if (options.report) {
  report(compiler.path);
} else if (existsSync(good) && readFileSync(good, "utf8") === fingerprint(compiler.version)) {
  say("infra/ is as it was when it was found good.");
} else {
  const bicep = new BicepServer(compiler.path, env);
  try {
    const found = await problems(bicep, options.update);
    for (const problem of found) say(problem);
    if (found.length === 0) {
      writeFileSync(good, fingerprint(compiler.version));
      say(`infra/ is good: ${parameterFiles.length} deployments as expected, ${refused.length} refused.`);
    }
    process.exitCode = found.length === 0 ? 0 : 1;
  } finally {
    await bicep.close();
  }
}

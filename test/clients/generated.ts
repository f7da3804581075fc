// Programs that use clients generated from the OpenAPI document: each makes the calls of the README, and one that is
// refused.

import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
export const projectRoot = join(import.meta.dirname, "../..");
const programs = join(import.meta.dirname, "../fixtures/clients");

/** What every such program prints. */
export const expectedCalls = {
  last: 2,
  payloads: [{ event: "placed", total: 42 }, { event: "paid" }],
  by: "card",
  spaceEntries: 1,
  wentOn: true,
  refused: { status: 409, code: "sequence_mismatch", lastSequence: 2 },
  winnerIsProducer: true,
};

/** Runs a command; rejects with all that it said. */
export async function command(file: string, args: readonly string[], cwd: string): Promise<string> {
  try {
    const { stdout } = await run(file, args, { cwd, maxBuffer: 64 * 1024 * 1024, env: toolEnvironment() });
    return stdout;
  } catch (error) {
    const { stdout = "", stderr = "", message } = error as { stdout?: string; stderr?: string; message: string };
    throw new Error(`${message}\n${stdout}\n${stderr}`, { cause: error });
  }
}

function toolEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, DOTNET_CLI_TELEMETRY_OPTOUT: "1", DOTNET_NOLOGO: "1", KIOTA_OFFLINE_ENABLED: "true" };
}

/** Compiles a program of `folder` with every check on, and runs it; what it printed. */
export async function typescriptCalls(folder: string, program: string, url: string): Promise<unknown> {
  await cp(join(programs, `${program}.ts.txt`), join(folder, "program.ts"));
  await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  const compilerOptions = {
    ...{ target: "ES2024", module: "NodeNext", lib: ["ES2024", "DOM", "DOM.Iterable"], types: ["node"] },
    ...{ strict: true, noUncheckedIndexedAccess: true, outDir: "out", skipLibCheck: false },
  };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["**/*.ts"] }));
  await command(process.execPath, [join(projectRoot, "node_modules/typescript/bin/tsc"), "-p", "."], folder);
  return JSON.parse(await command(process.execPath, [join(folder, "out/program.js"), url, randomUUID()], folder));
}

/** A new folder for a client. */
export async function clientFolder(parent: string, name: string): Promise<string> {
  const folder = join(parent, `client-${name}`);
  await mkdir(folder, { recursive: true });
  return folder;
}

// Where the Bicep compiler is: on the path, when it is the version that compiler.csproj names, else restored from NuGet
// into .cache/bicep.

import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, globSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

export type Compiler =
  | { readonly kind: "found"; readonly path: string; readonly version: string }
  /** `why` is one line for a person. */
  | { readonly kind: "missing"; readonly version: string; readonly why: string };

/** Those that have a package; glibc on Linux. */
const packages: Readonly<Record<string, string>> = {
  "linux-x64": "linux-x64",
  "linux-arm64": "linux-arm64",
  "darwin-x64": "osx-x64",
  "darwin-arm64": "osx-arm64",
  "win32-x64": "win-x64",
  "win32-arm64": "win-arm64",
};

/** `root`: of the project. `env`: where `bicep` and `dotnet` are looked for, by its PATH. */
export function findCompiler(root: string, env: NodeJS.ProcessEnv): Compiler {
  const project = join(root, "scripts/bicep/compiler.csproj");
  const version = /<BicepVersion>(.+)<\/BicepVersion>/.exec(readFileSync(project, "utf8"))?.[1];
  if (version === undefined) throw new Error(`${project} names no BicepVersion.`);
  const onPath = run("bicep", ["--version"], env);
  if (onPath.said.includes(` ${version} `)) return { kind: "found", path: "bicep", version };

  const platform = `${process.platform}-${process.arch}`;
  const rid = packages[platform];
  if (rid === undefined) return { kind: "missing", version, why: `NuGet has none for ${platform}` };
  const folder = join(root, ".cache/bicep");
  const path = join(
    folder,
    `packages/azure.bicep.commandline.${rid}/${version}/tools`,
    process.platform === "win32" ? "bicep.exe" : "bicep",
  );
  if (existsSync(path)) return { kind: "found", path, version };
  mkdirSync(folder, { recursive: true });
  copyFileSync(project, join(folder, "compiler.csproj"));
  const wanted = `-p:BicepPackage=Azure.Bicep.CommandLine.${rid}`;
  const restored = run("dotnet", ["restore", join(folder, "compiler.csproj"), "--verbosity", "quiet", wanted], env);
  if (restored.failed || !existsSync(path)) {
    const why = restored.said.trim().split("\n")[0] ?? "";
    return { kind: "missing", version, why: why || "neither `bicep` of this version nor `dotnet` is on the path" };
  }
  chmodSync(path, 0o755);
  // Half of what was restored is the archive that it came in.
  for (const archive of globSync("packages/*/*/*.nupkg", { cwd: folder })) rmSync(join(folder, archive));
  return { kind: "found", path, version };
}

/** What is said where there is none: a person may go on, an automated run may not. */
export function leftOut(
  compiler: Compiler & { kind: "missing" },
  env: NodeJS.ProcessEnv,
): { line: string; exitCode: number } {
  const line = `infra/ was not checked: there is no Bicep ${compiler.version}: ${compiler.why}. A .NET SDK on the path is enough.`;
  return { line, exitCode: env["CI"] === undefined ? 0 : 1 };
}

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv): { said: string; failed: boolean } {
  const { stdout, stderr, status } = spawnSync(command, args, { env, encoding: "utf8" });
  // Both are null when there is no such command, whatever the types say.
  return { said: [stdout, stderr].filter(Boolean).join(""), failed: status !== 0 };
}

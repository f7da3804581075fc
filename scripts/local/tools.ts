// Azure Functions Core Tools: where they are, and how they are called.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  /** A batch file is run by the shell; nothing else is. */
  readonly shell: boolean;
}

/** How `func start` is called; undefined when it is not on the path. */
export function findTools(port: number, path: string, platform = process.platform): Command | undefined {
  // As installed by an installer, and by npm.
  const names = platform === "win32" ? ["func.exe", "func.cmd"] : ["func"];
  const found = path
    .split(delimiter)
    .flatMap((folder) => names.map((name) => join(folder, name)))
    .find(isExecutable);
  if (found === undefined) return undefined;
  const args = ["start", "--port", `${port}`];
  if (!found.endsWith(".cmd")) return { command: found, args, shell: false };
  return { command: `"${found}" ${args.join(" ")}`, args: [], shell: true };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

// Binaries of Node.js, as npm has them.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { command } from "../clients/generated.ts";

/** The binary of a version, or of the newest in a range, installed within `folder`. */
export async function installNode(folder: string, range: string): Promise<string> {
  const own = join(folder, `node-${range}`);
  await mkdir(own, { recursive: true });
  const name = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  const quiet = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund"];
  await command("npm", ["install", "--prefix", own, ...quiet, `${name}@${range}`], own);
  return join(own, "node_modules", name, "bin", process.platform === "win32" ? "node.exe" : "node");
}

// Before `npm start` and `npm test`: installs what package-lock.json names, when it is not what is in node_modules.
// Promise: after it, every package is the one of the lock file; where they already are, nothing is touched and no
// registry asked. Plain JavaScript without a dependency: it runs on the Node.js of the system, before there is anything
// else.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = new URL("../", import.meta.url);

/**
 * The packages of a lock file, by their paths; none when there is no such file: npm writes that of node_modules last of
 * all.
 */
function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(new URL(file, root), "utf8")).packages ?? {};
  } catch {
    return {};
  }
}

const identity = ({ version, integrity, link }) => JSON.stringify([version, integrity, link]);

function isInstalled() {
  const { "": project, ...wanted } = packagesOf("package-lock.json");
  const present = packagesOf("node_modules/.package-lock.json");
  if (project === undefined) return false;
  // npm leaves out an optional package that is not for this machine.
  const isThere = ([path, entry]) =>
    present[path] === undefined ? entry.optional === true : identity(present[path]) === identity(entry);
  return (
    Object.keys(present).length > 0 &&
    Object.entries(wanted).every(isThere) &&
    Object.keys(present).every((path) => path in wanted)
  );
}

if (!isInstalled()) {
  console.log("Installing the packages of package-lock.json (npm ci) ...");
  // The very npm that runs this script, on its own Node.js: that in node_modules is about to be replaced.
  const { npm_execpath: npm, npm_node_execpath: node } = process.env;
  const options = { cwd: fileURLToPath(root), stdio: "inherit" };
  const { status } =
    npm === undefined
      ? spawnSync("npm ci", { ...options, shell: true })
      : spawnSync(node ?? process.execPath, [npm, "ci"], options);
  if (status !== 0) console.error("The packages could not be installed: npm ci says why above. Nothing was started.");
  process.exitCode = status ?? 1;
}

// `npm run torture -- [--seconds 60] [--processes 4] [--callers 24] [--seed N]`: the long form of
// test/e2e/torture.test.ts. Promise: ends with 0 when nothing was wrong, with 1 and what was wrong otherwise; leaves no
// process behind.

import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startAzurite } from "../../scripts/local/azurite.ts";
import { installApp } from "../azurite.ts";
import { startAppProcess } from "../e2e/app-process.ts";
import { torture } from "./torture.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    processes: { type: "string", default: "4" },
    callers: { type: "string", default: "24" },
    seed: { type: "string", default: String(Date.now()) },
  },
});
const root = join(import.meta.dirname, "../..");
console.log(`Seed ${values.seed}, ${values.processes} processes, ${values.seconds} s.`);
await mkdir(join(root, ".cache"), { recursive: true });
const folder = await mkdtemp(join(root, ".cache/torture-"));
const azurite = startAzurite({ location: undefined, ports: "free" });
try {
  const [connection] = await Promise.all([azurite.ready, installApp(root, folder)]);
  const report = await torture({
    seed: values.seed,
    seconds: Number(values.seconds),
    processes: Number(values.processes),
    callers: Number(values.callers),
    killPauseMs: 1_500,
    azurite: connection,
    start: (env) => startAppProcess({ azurite: connection, appRoot: folder, hostRoot: folder, env }),
  });
  const { problems, fsck, ...counts } = report;
  console.log(JSON.stringify({ ...counts, fsck: { ...fsck, findings: fsck.findings.length } }, undefined, 2));
  for (const problem of problems.slice(0, 50)) console.error(problem);
  console.log(problems.length === 0 ? "Nothing is wrong." : `${problems.length} problems. Seed ${values.seed}.`);
  process.exitCode = problems.length === 0 ? 0 : 1;
} finally {
  await azurite.child.stop();
  await rm(folder, { recursive: true, force: true });
}

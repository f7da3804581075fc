// `npm run bench`: measures the code as it is on this machine, and prints tables and JSON.
//
//   --only name[,name]   only these measures      --quick   small counts: to see that it works
//   --json file          where the JSON goes; default .cache/bench.json

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";

import { bytes } from "./bytes.ts";
import { compaction } from "./compaction.ts";
import { coldStart } from "./cold-start.ts";
import { consume } from "./consume.ts";
import { contention } from "./contention.ts";
import { cpu } from "./cpu.ts";
import { growth } from "./growth.ts";
import { handlers } from "./handlers.ts";
import { latency } from "./latency.ts";
import type { Figure, Measure } from "./measure.ts";
import { runSizes } from "./measure.ts";
import { memory } from "./memory.ts";
import { peer } from "./peer.ts";
import { produce } from "./produce.ts";
import { describeMachine, table } from "./report.ts";
import { requests } from "./requests.ts";
import { turns } from "./turns.ts";

const measures: readonly Measure[] = [
  requests,
  bytes,
  compaction,
  produce,
  consume,
  cpu,
  handlers,
  latency,
  peer,
  contention,
  growth,
  memory,
  turns,
  coldStart,
];

const { values: args } = parseArgs({
  options: { only: { type: "string" }, quick: { type: "boolean", default: false }, json: { type: "string" } },
});
const names = args.only?.split(",");
const unknown = names?.filter((name) => !measures.some((measure) => measure.name === name)) ?? [];
if (unknown.length > 0) {
  console.error(`No such measure: ${unknown.join(", ")}. There are ${measures.map(({ name }) => name).join(", ")}.`);
  process.exit(1);
}

const machine = describeMachine();
console.log(machine.text);
const size = args.quick ? runSizes.quick : runSizes.full;
const results: Record<string, readonly Figure[]> = {};
for (const measure of measures.filter(({ name }) => names === undefined || names.includes(name))) {
  console.log(`\n${measure.name}: ${measure.about}\n`);
  const startedAt = performance.now();
  const figures = await measure.run(size);
  results[measure.name] = figures;
  console.log(table(figures));
  console.log(`(${Math.round((performance.now() - startedAt) / 1_000)} s)`);
}
const file = args.json ?? join(import.meta.dirname, "..", ".cache", "bench.json");
mkdirSync(dirname(file), { recursive: true });
writeFileSync(
  file,
  `${JSON.stringify({ at: new Date().toISOString(), ...machine, quick: args.quick, results }, null, 2)}\n`,
);
console.log(`\nThe same as JSON: ${file}`);

// `npm run simulate -- --seeds N --from S`: runs seeds, sums up what they did, and tells the history of those that
// fail.

import { parseArgs } from "node:util";

import { simulate } from "./simulate.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "100" },
    from: { type: "string", default: "1" },
    /** Lines of a failing history that are printed, from its end. */
    lines: { type: "string", default: "400" },
    /** Prints the history of seeds that hold, too. */
    history: { type: "boolean", default: false },
    /** Goes on after a failing seed. */
    all: { type: "boolean", default: false },
  },
});

const from = Number(values.from);
const count = Number(values.seeds);
const startedAt = performance.now();
const faults = new Map<string, number>();
const sums = { requests: 0, commits: 0, acknowledged: 0, crashes: 0 };
const failing: number[] = [];
for (let seed = from; seed < from + count; seed += 1) {
  const result = await simulate(seed, { keepsHistory: false });
  for (const [kind, times] of result.faults) faults.set(kind, (faults.get(kind) ?? 0) + times);
  for (const name of ["requests", "commits", "acknowledged", "crashes"] as const) sums[name] += result[name];
  if (result.wrong !== undefined) failing.push(seed);
  if (result.wrong !== undefined && values.all) console.log(`seed ${seed}: ${result.wrong}`);
  if ((result.wrong !== undefined && !values.all) || values.history) {
    const { history, wrong } = await simulate(seed, { keepsHistory: true });
    console.log(history.slice(-Number(values.lines)).join("\n"));
    console.log(`seed ${seed}: ${wrong ?? "holds"}`);
    if (wrong !== result.wrong) console.log(`The replay differs: it was ${result.wrong}`);
    if (result.wrong !== undefined) break;
  }
}
const seconds = (performance.now() - startedAt) / 1_000;
console.log(`${count} seeds from ${from}: ${failing.length} failing ${failing.slice(0, 50).join(" ")}`);
console.log(`${(count / seconds).toFixed(1)} seeds a second; ${JSON.stringify(sums)}`);
console.log([...faults].map(([kind, times]) => `${kind}: ${times}`).join(", "));
process.exitCode = failing.length > 0 ? 1 : 0;

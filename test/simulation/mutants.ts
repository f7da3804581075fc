// `npm run mutants`: runs each deliberate mistake, in a process of its own, until a seed catches it; fails if one
// lives.
//
// `--mutant NAME` one of them, in this process; `--seeds N --from S` other seeds than its own; `--only A,B` some of
// them.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";

import { applyMutation } from "./mutant-loader.ts";
import { mutations } from "./mutations.ts";
import type { Mutation } from "./mutations/mutation.ts";

interface Caught {
  readonly seed: number | undefined;
  readonly wrong: string;
}

/** Processes at the same time. */
const processesMax = 2;
/** A mistake that makes a run go round in circles is caught by this, milliseconds. */
const processMaxMs = 900_000;

const { values } = parseArgs({
  options: {
    mutant: { type: "string" },
    seeds: { type: "string" },
    from: { type: "string", default: "1" },
    only: { type: "string" },
  },
});

if (values.mutant === undefined) await runAll(values.only?.split(","));
else console.log(JSON.stringify(await runOne(byName(values.mutant))));

function byName(name: string): Mutation {
  const found = mutations.find((mutation) => mutation.name === name);
  if (found === undefined) throw new Error(`There is no mutation ${name}.`);
  return found;
}

async function runOne(mutation: Mutation): Promise<Caught> {
  applyMutation(mutation);
  const play = await playerOf(mutation);
  const seeds = values.seeds === undefined ? mutation.seeds : Number(values.seeds);
  const from = Number(values.from);
  for (let seed = from; seed < from + seeds; seed += 1) {
    const { wrong } = await play(seed);
    // A mistake is one of the protocol's; a mutant that cannot run proves nothing.
    if (wrong !== undefined && /(Reference|Type|Syntax)Error|the simulation itself/.test(wrong)) throw new Error(wrong);
    if (wrong !== undefined) return { seed, wrong };
  }
  return { seed: undefined, wrong: "nothing" };
}

/** Loaded when the mistake is made. */
async function playerOf(
  mutation: Mutation,
): Promise<(seed: number) => Promise<{ readonly wrong: string | undefined }>> {
  if (mutation.play === "crowd") return (await import("./crowd.ts")).crowd;
  if (mutation.play === "later view") return (await import("./later-view.ts")).laterView;
  if (mutation.play === "streams") return (await import("./streams.ts")).streams;
  if (mutation.play === "redactions") return (await import("./redactions.ts")).redactions;
  if (mutation.play === "endings") return (await import("./endings.ts")).endings;
  if (mutation.play === "restores") return (await import("./restores.ts")).restores;
  if (mutation.play === "consumers") return (await import("./consumers/play.ts")).consumers;
  const { simulate } = await import("./simulate.ts");
  return (seed) => simulate(seed, { keepsHistory: false });
}

async function runAll(only: readonly string[] | undefined): Promise<void> {
  const left = mutations.filter(({ name }) => only === undefined || only.includes(name));
  const alive: string[] = [];
  const work = async (): Promise<void> => {
    for (let mutation = left.shift(); mutation !== undefined; mutation = left.shift()) {
      const caught = await inProcess(mutation);
      if (caught.seed === undefined) alive.push(mutation.name);
      const seed = caught.seed === undefined ? "LIVES" : `seed ${caught.seed} of ${mutation.seeds}`;
      console.log(`${mutation.name.padEnd(34)} ${seed.padEnd(16)} ${caught.wrong.slice(0, 120)}`);
    }
  };
  await Promise.all(Array.from({ length: processesMax }, work));
  console.log(alive.length === 0 ? "Every mutant was caught." : `Not caught: ${alive.join(", ")}`);
  if (alive.length > 0) process.exitCode = 1;
}

async function inProcess({ name }: Mutation): Promise<Caught> {
  const seeds = ["--from", values.from, ...(values.seeds === undefined ? [] : ["--seeds", values.seeds])];
  try {
    const args = [fileURLToPath(import.meta.url), "--mutant", name, ...seeds];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: processMaxMs });
    return JSON.parse(stdout) as Caught;
  } catch (error) {
    const { stderr, killed } = error as { readonly stderr?: string; readonly killed?: boolean };
    return { seed: undefined, wrong: killed === true ? "did not end" : (stderr ?? String(error)).trim().slice(-300) };
  }
}

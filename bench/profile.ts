// Where the processor's time went: the functions that took most of it themselves, as shares of the time the process was
// not idle.

import { existsSync, readFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { setTimeout as delay } from "node:timers/promises";

import type { Figure } from "./measure.ts";

export interface Cost {
  /** Function and file. */
  readonly what: string;
  /** 0 to 1. */
  readonly share: number;
}

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples?: readonly number[] | undefined;
  readonly timeDeltas?: readonly number[] | undefined;
}

/** Of this process, while the work runs. */
export async function profileOf(work: () => Promise<unknown>): Promise<readonly Cost[]> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.start");
  await work();
  const { profile } = await session.post("Profiler.stop");
  session.disconnect();
  return costsOf(profile);
}

/** Of a process that has loaded `app-profiler.ts`, while the work runs. */
export async function profileOfProcess(
  pid: number,
  file: string,
  work: () => Promise<unknown>,
): Promise<readonly Cost[]> {
  process.kill(pid, "SIGUSR2");
  await delay(200);
  await work();
  process.kill(pid, "SIGUSR2");
  for (let waited = 0; !existsSync(file) && waited < 100; waited += 1) await delay(100);
  return costsOf(JSON.parse(readFileSync(file, "utf8")) as Profile);
}

/** Most expensive first. */
function costsOf({ nodes, samples = [], timeDeltas = [] }: Profile): readonly Cost[] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const times = new Map<string, number>();
  let total = 0;
  samples.forEach((id, index) => {
    const name = names.get(id) ?? "";
    if (name === "(idle)" || name.includes("(node:inspector")) return;
    const time = timeDeltas[index] ?? 0;
    times.set(name, (times.get(name) ?? 0) + time);
    total += time;
  });
  return [...times].map(([what, time]) => ({ what, share: time / total })).sort((a, b) => b.share - a.share);
}

function nameOf({ functionName, url, lineNumber }: Profile["nodes"][number]["callFrame"]): string {
  if (url === "") return functionName;
  const place = url.replace(/^.*\/node_modules\//, "").replace(/^file:.*\/(src|bench|dist)\//, "$1/");
  return `${functionName === "" ? "(anonymous)" : functionName} (${place}:${lineNumber + 1})`;
}

/** The most expensive, as figures. */
export function topOf(what: string, costs: readonly Cost[]): Figure[] {
  return costs
    .slice(0, 8)
    .map((cost, index) => ({ what: `${what}: ${index + 1}. ${cost.what}`, value: cost.share * 100, unit: "%" }));
}

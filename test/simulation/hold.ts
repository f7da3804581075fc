// Seeds as a test: the first one that fails is told with its history, and how to replay it.

import { simulate } from "./simulate.ts";

/** Lines of a failing history that are told, from its end. */
const linesMax = 150;

/** The failure of the first failing seed, for people; undefined: all of them hold. */
export async function firstFailure(from: number, count: number): Promise<string | undefined> {
  for (let seed = from; seed < from + count; seed += 1) {
    if ((await simulate(seed, { keepsHistory: false })).wrong === undefined) continue;
    const { history, wrong } = await simulate(seed, { keepsHistory: true });
    const replay = `npm run simulate -- --seeds 1 --from ${seed}`;
    return `${history.slice(-linesMax).join("\n")}\n\nseed ${seed}: ${wrong}\nReplay it: ${replay}`;
  }
  return undefined;
}

// More segments than a log lists stop answering together: what do their neighbours feel, and what are their callers
// told?
//
// The seeds judge what is said and stored; that nobody waits for what is stuck is judged here, in virtual time.

import { segmentPartition } from "../../src/store/azure/rows/keys.ts";
import { parseSegmentName } from "../../src/core/ids.ts";
import { feeling, Lab, space, stuck } from "../isolation/lab.ts";
import { faults } from "../doubles/fault.ts";

const pendingPerLogMax = 32;
const count = 80;

/** What is wrong; undefined: nothing. */
export async function crowd(seed: number): Promise<{ readonly wrong: string | undefined }> {
  const lab = new Lab(`crowd ${seed}`);
  const many = Array.from({ length: count }, (_, index) => parseSegmentName(`stuck ${index}`));
  const { store } = lab.instance({ settings: { pendingPerLogMax } });
  await lab.finish(lab.load(store, many, { everyMs: 20, forMs: 20 * count }));
  await lab.finish(lab.neighbours(store, 500));
  const partitions = new Set(many.map((one) => segmentPartition(space, one)));
  lab.fault = (request) =>
    request.kind === "submit" && partitions.has(request.partition) ? faults.timedOut(10_000) : undefined;
  void lab.load(store, many, { everyMs: 20, forMs: 6_000 });
  const { failed, p99 } = feeling(await lab.finish(lab.neighbours(store, 6_000)));
  if (failed.length > 0) return { wrong: `a neighbour of stuck segments was told ${failed.join(", ")}` };
  if (p99 >= 200) return { wrong: `neighbours of stuck segments waited ${Math.round(p99)} ms` };
  const { outcome, effect, latencyMs } = await lab.produce(store, many[0] ?? stuck);
  const isEarly = outcome === "storage_unavailable" && effect === "none" && latencyMs < 100;
  const told = `${outcome}, ${effect ?? "done"}, after ${Math.round(latencyMs)} ms`;
  return { wrong: isEarly ? undefined : `a produce to a segment that is known to be stuck was told ${told}` };
}

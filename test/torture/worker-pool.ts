// Processes of workers share a consumer and are killed without warning, until all there is was handled; then what they
// produced is judged: each entry once, in the order of its segment.

import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { StreamkitClient } from "streamkit-client";
import type { StoreClient } from "streamkit-client";
import { Child } from "../../scripts/local/child.ts";
import { Chance } from "../simulation/chance.ts";

export interface PoolOptions {
  readonly url: string;
  readonly seed: string;
  readonly processes: number;
  readonly segments: number;
  readonly entriesEach: number;
  readonly kills: number;
  /** Between two kills, milliseconds, on the average. */
  readonly killPauseMs: number;
  readonly withinMs: number;
}

export interface PoolReport {
  readonly problems: readonly string[];
  readonly produced: number;
  readonly kills: number;
  /** Partitions that had a further holder: how often work was taken over. */
  readonly takenOver: number;
}

const [input, output, consumerName] = ["jobs", "results", "pool"];
const writersMax = 8;

/** Problems are collected, not thrown. */
export async function workerPool(options: PoolOptions): Promise<PoolReport> {
  const { entriesEach, kills, processes, segments, seed, url, withinMs } = options;
  const chance = new Chance(seed);
  const store = new StreamkitClient(url).getStoreClient(randomUUID());
  await write(store, segments, entriesEach);
  const consumer = store.getConsumerClient(consumerName);
  const rules = { partitions: 8, leaseSeconds: 1, backoffSeconds: [0], maxDeliveries: 1_000 };
  await consumer.put({ spaces: [input], from: "start", ...rules });
  const start = (): Child => startWorker(url, store.storeId);
  const workers = Array.from({ length: processes }, start);
  const endsAt = performance.now() + withinMs;
  let killed = 0;
  const isDone = async (): Promise<boolean> => {
    // A consumer that has just begun may have no lag either: its entries may be younger than a clock can tell.
    if ((await outputs(store)) < segments * entriesEach) return false;
    const { state = [] } = (await consumer.get()) ?? {};
    return state.every(({ lagMs, outstanding, parked }) => lagMs === 0 && !outstanding && parked === 0);
  };
  const problems: string[] = [];
  try {
    while (!(await isDone())) {
      if (performance.now() > endsAt) {
        problems.push(`not done within ${withinMs} ms`);
        break;
      }
      await sleep(chance.integer(options.killPauseMs / 2, (options.killPauseMs * 3) / 2));
      if (killed === kills) continue;
      const one = chance.integer(0, processes - 1);
      await workers[one]?.stop("SIGKILL");
      killed += 1;
      workers[one] = start();
    }
  } finally {
    await Promise.all(workers.map((worker) => worker.stop("SIGKILL")));
  }
  for (const worker of workers) if (worker.output !== "") problems.push(worker.output);
  const { state = [] } = (await consumer.get()) ?? {};
  const takenOver = state.reduce((sum, { token }) => sum + token - 1, 0);
  const { produced, wrong } = await judge(store, segments, entriesEach);
  return { problems: [...problems, ...wrong], produced, kills: killed, takenOver };
}

async function outputs(store: StoreClient): Promise<number> {
  let count = 0;
  for await (const { lastSequence } of store.getSpaceClient(output).getStatuses()) count += lastSequence;
  return count;
}

function startWorker(url: string, storeId: string): Child {
  const program = join(import.meta.dirname, "pool-worker.ts");
  const env = { PATH: process.env["PATH"], HOME: process.env["HOME"], NODE_NO_WARNINGS: "1" };
  const args = [program, url, storeId, consumerName, output];
  return new Child({ command: process.execPath, args, env, output: "kept" });
}

async function write(store: StoreClient, segments: number, each: number): Promise<void> {
  const jobs = store.getSpaceClient<number>(input);
  const names = Array.from({ length: segments }, (_, at) => segmentName(at));
  const records = Array.from({ length: each }, (_, at) => ({ payload: at + 1 }));
  const writer = async (): Promise<void> => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      await jobs.getSegmentClient(name).append(records);
    }
  };
  await Promise.all(Array.from({ length: writersMax }, writer));
}

function segmentName(at: number): string {
  return `customer-${at}`;
}

async function judge(
  store: StoreClient,
  segments: number,
  each: number,
): Promise<{ readonly produced: number; readonly wrong: readonly string[] }> {
  const found = new Map<string, number[]>();
  for await (const { payload, segment } of store.getSpaceClient<number>(output).read()) {
    const payloads = found.get(segment);
    if (payloads === undefined) found.set(segment, [payload]);
    else payloads.push(payload);
  }
  const wrong: string[] = [];
  for (let at = 0; at < segments; at += 1) {
    const payloads = found.get(segmentName(at)) ?? [];
    const isRight = payloads.length === each && payloads.every((payload, index) => payload === index + 1);
    if (!isRight) wrong.push(`${segmentName(at)}: ${payloads.join(" ")}`);
  }
  return { produced: [...found.values()].reduce((sum, { length }) => sum + length, 0), wrong };
}

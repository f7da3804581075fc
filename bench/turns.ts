// How long one request holds up all others: the longest turn of the event loop while the largest bodies are parsed.

import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";

import { limits } from "../src/core/limits.ts";
import { inTurns } from "../src/server/produce.ts";
import type { RecordStep } from "../src/wire/records.ts";
import type { Encoding } from "../src/wire/payload.ts";
import { parseProduceAllBody, parseProduceBody } from "../src/wire/records.ts";
import { wireLimits } from "../src/wire/wire-limits.ts";
import { eventText, smallBytes } from "./events.ts";
import type { Figure, Measure } from "./measure.ts";

const jsonBytes = 90_000_000;
/** As the server holds a body. */
const blockBytes = 256 * 1024;

export const turns: Measure = {
  name: "turns",
  about: "The longest turn of the event loop while a body is parsed, in process, of several tries the shortest.",
  run: async (size) => {
    const record = `{"payload":${eventText(0, smallBytes)}}`;
    const largest = `{"payload":"${"x".repeat(limits.recordBytesMax - 2)}"}`;
    const escaped = `{"payload":"${"\\u0041".repeat(limits.recordBytesMax - 2)}"}`;
    const bodies: readonly (readonly [string, () => Iterable<RecordStep>])[] = [
      ["90 MB of JSON, small records", steps(bodyOf(record, jsonBytes))],
      ["90 MB of JSON, records of 768 KiB", steps(bodyOf(largest, jsonBytes))],
      ["90 MB of JSON, records of 768 KiB, each byte escaped", steps(bodyOf(escaped, jsonBytes), "text")],
      ["90 MB of white space", steps([Buffer.from(`{"records":[${" ".repeat(jsonBytes)}]}`)])],
      ["a body of several segments, as large as may be", transaction(record)],
    ];
    const figures: Figure[] = [];
    for (const [what, parse] of bodies) {
      const tries: number[] = [];
      for (let round = 0; round < size.rounds; round += 1) tries.push(await longestTurnMs(parse));
      figures.push({ what, value: Math.min(...tries), unit: "ms" });
    }
    return figures;
  },
};

async function longestTurnMs(parse: () => Iterable<RecordStep>): Promise<number> {
  await delay(100);
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  await delay(20);
  delays.reset();
  // The first interval after it is not counted.
  await delay(5);
  const records = inTurns(parse());
  while ((await records.next()).done !== true);
  await delay(20);
  delays.disable();
  return delays.max / 1e6;
}

function steps(body: readonly Uint8Array[], encoding: Encoding = "json"): () => Iterable<RecordStep> {
  return () => parseProduceBody(body, encoding);
}

function bodyOf(record: string, bytes: number): readonly Uint8Array[] {
  const count = Math.floor(bytes / (record.length + 1));
  const whole = Buffer.from(`{"records":[${Array.from({ length: count }, () => record).join(",")}]}`);
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < whole.byteLength; at += blockBytes) blocks.push(whole.subarray(at, at + blockBytes));
  return blocks;
}

function transaction(record: string): () => Iterable<RecordStep> {
  const padded = record.padEnd(Math.floor(wireLimits.transactionBodyBytesMax / limits.chunkRecordsMax) - 2);
  const count = Math.min(limits.chunkRecordsMax, Math.floor(wireLimits.transactionBodyBytesMax / (padded.length + 1)));
  const records = Array.from({ length: count }, () => padded).join(",");
  const body = [Buffer.from(`{"segments":[{"segment":"s","records":[${records}]}]}`)];
  return () => parseProduceAllBody(body, "json");
}

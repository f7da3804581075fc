// A writer that reads what it has written, in virtual time: what it waits for, and what is done when its segment is
// behind.

import { expect, test } from "vitest";

import { encodeCursor } from "../../../../../src/codec/cursor.ts";
import { sleep } from "../../../../../src/core/clock.ts";
import { noMetadata } from "../../../../../src/core/entry.ts";
import type { Cursor, SegmentName } from "../../../../../src/core/ids.ts";
import { parseSegmentName } from "../../../../../src/core/ids.ts";
import { segmentPartition } from "../../../../../src/store/azure/rows/keys.ts";
import type { Store } from "../../../../../src/store/store.ts";
import { faults } from "../../../../doubles/fault.ts";
import { Lab, space } from "../../../../isolation/lab.ts";
import { Chance } from "../../../../simulation/chance.ts";

const segment = parseSegmentName("order-1");
/** Duration of every request, there and back, milliseconds. */
const roundTripMs = 10;

async function append(store: Store, to: SegmentName = segment): Promise<Cursor> {
  const record = { payload: Buffer.from("x"), metadata: noMetadata };
  for await (const { status } of store.produce(space, to, [record], { ack: "committed" })) {
    const { lastSequence, lastTimestamp } = status;
    return encodeCursor({ space, segment: to, timestamp: lastTimestamp, sequence: lastSequence });
  }
  throw new Error("A produce answers.");
}

async function lastRead(store: Store, min: Cursor, from: number): Promise<number | undefined> {
  let last: number | undefined;
  for await (const { sequence } of store.consumeSegment(space, segment, { min, from })) last = sequence;
  return last;
}

/** Of appends and reads of what they wrote, by a caller who is so far away, in round trips to the storage, sorted. */
async function appendsAndReads(
  lab: Lab,
  { writer, reader, awayMs = 0 }: { readonly writer: Store; readonly reader: Store; readonly awayMs?: number },
  count: number,
): Promise<readonly number[]> {
  const times: number[] = [];
  await lab.finish(lab.table.create());
  for (let written = 1; written <= count; written += 1) {
    const startedAt = lab.clock.elapsed();
    const read = append(writer).then(async (min) => {
      await sleep(lab.clock, awayMs);
      return lastRead(reader, min, written);
    });
    expect(await lab.finish(read)).toBe(written);
    times.push((lab.clock.elapsed() - startedAt) / roundTripMs);
    await lab.pass(100);
  }
  return times.slice(10).sort((a, b) => a - b);
}

/** A network whose requests take now a little longer, now a little less; those of an even one overtake none. */
function networkOf(lab: Lab, spreadMs: number): void {
  const chance = new Chance("network");
  const way = (): number => roundTripMs / 2 + spreadMs * (chance.fraction() - 0.5);
  lab.fault = () => faults.answered(way(), way());
}

test("an append and the read of what it wrote take two round trips together", async () => {
  const lab = new Lab("own writes");
  networkOf(lab, 0);
  const { store } = lab.instance();
  const times = await appendsAndReads(lab, { writer: store, reader: store }, 60);
  expect(times.at(-1)).toBe(2);
});

test("where requests overtake each other, the median stays below 2.2, and the most is one more read", async () => {
  const lab = new Lab("own writes that are overtaken");
  networkOf(lab, 2);
  const { store } = lab.instance();
  const times = await appendsAndReads(lab, { writer: store, reader: store, awayMs: 1 }, 210);
  expect(times[times.length / 2]).toBeLessThanOrEqual(2.2);
  expect(times.at(-1)).toBeLessThan(3.5);
});

test("another instance reads it as soon, and finishes itself what its writer has left behind", async () => {
  const lab = new Lab("own writes elsewhere");
  networkOf(lab, 0);
  const [writer, reader] = [lab.instance(), lab.instance()];
  const times = await appendsAndReads(lab, { writer: writer.store, reader: reader.store }, 30);
  expect(times.at(-1)).toBe(2);
  // The writer dies with its next apply.
  const partition = segmentPartition(space, segment);
  lab.fault = (request) => {
    const isApply = request.kind === "submit" && request.partition === partition;
    if (!isApply || request.client !== writer.client.name) return faults.answered(5, 5);
    return faults.dropped();
  };
  const min = await lab.finish(append(writer.store));
  writer.client.crash();
  expect(await lab.finish(lastRead(reader.store, min, 31))).toBe(31);
  expect((await lab.finish(reader.store.peek(space, segment, { min })))?.sequence).toBe(31);
});

test("a segment that does not answer costs its reader the time of a produce, and says so", async () => {
  const lab = new Lab("own writes that hang");
  const { store } = lab.instance({ settings: { produceTimeoutMs: 2_000 } });
  await lab.finish(append(store));
  await lab.pass(5_000);
  const partition = segmentPartition(space, segment);
  lab.fault = (request) =>
    request.kind === "submit" && request.partition === partition ? faults.timedOut(10_000) : faults.answered(4, 4);
  const min = await lab.finish(append(store));
  const startedAt = lab.clock.elapsed();
  const refused = store.peek(space, segment, { min }).catch((error: unknown) => error);
  expect(await lab.finish(refused)).toMatchObject({ code: "overloaded", effect: "none", retryAfterMs: 1_000 });
  expect(lab.clock.elapsed() - startedAt).toBeLessThan(2_100);
});

// What the calls cost the app's processor without their storage and without a host: parsing, checking, the text of
// answers. The store behind them answers at once, and does nothing.

import { openService } from "../test/unit/server/in-process.ts";
import type { Service } from "../test/unit/server/in-process.ts";
import type { AppendRecord, Entry } from "../src/core/entry.ts";
import { emptyStatus } from "../src/core/entry.ts";
import { parseNodeId, parseSegmentName, parseTransactionId } from "../src/core/ids.ts";
import type { ConsumeSegmentArgs, ProducedChunk, Store } from "../src/store/store.ts";
import { chunkRecords } from "../src/store/create-store.ts";
import { produceBody } from "./app.ts";
import { events, smallBytes } from "./events.ts";
import type { Figure, Measure, RunSize } from "./measure.ts";
import { profileOf, topOf } from "./profile.ts";
import { newStore } from "./storage.ts";
import { space } from "./written.ts";

const segment = parseSegmentName("order-1");
const batch = 100;
const entriesMax = 20_000;

export const handlers: Measure = {
  name: "handlers",
  about: "Processor time of the calls without storage and host.",
  run: async (size) => {
    const entries = entriesOf(entriesMax / size.divisor);
    const service = await openService({ stores: { open: () => idleStore(entries), close: () => Promise.resolve() } });
    try {
      return await measured(service, entries.length, size);
    } finally {
      await service.dispose();
    }
  },
};

async function measured(service: Service, entries: number, size: RunSize): Promise<Figure[]> {
  const path = `/v1/stores/${newStore()}/spaces/${space}/segments/${segment}`;
  const post = (body: string, type: string) => (): Promise<number> =>
    answered(service, "POST", `${path}/records?encoding=json`, { body, headers: { "content-type": type } });
  const read = (query: string, accept: string) => (): Promise<number> =>
    answered(service, "GET", `${path}/entries?encoding=json${query}`, { headers: { accept } });
  const lines = `${events(batch, smallBytes)
    .map(({ payload }) => `{"payload":${Buffer.from(payload).toString()}}`)
    .join("\n")}\n`;
  const ndjson = "application/x-ndjson";
  const works = [
    ["produce of 1 record", 1, post(produceBody(1, smallBytes), "application/json")],
    [`record of ${batch}, as JSON`, batch, post(produceBody(batch, smallBytes), "application/json")],
    [`record of ${batch}, as lines`, batch, post(lines, ndjson)],
    ["entry read, as lines", entries, read("", ndjson)],
    ["entry read, in pages of 1,000", 1_000, read("&limit=1000", "application/json")],
    ["entry read, as lines, the payload alone", entries, read("&fields=payload", ndjson)],
  ] as const;
  const figures: Figure[] = [];
  for (const [what, pieces, work] of works) {
    figures.push({ what: `the calls alone: ${what}`, value: (await cpuMs(size, work)) * (1_000 / pieces), unit: "us" });
  }
  for (const [what, , work] of [works[0], works[1], works[3]]) {
    figures.push(...topOf(`the calls alone, ${what}`, await profileOf(() => cpuMs(size, work))));
  }
  return figures;
}

/** Of one piece of work, the least of some rounds: what else the machine does makes it more, never less. */
async function cpuMs({ roundMs, rounds }: RunSize, work: () => Promise<unknown>): Promise<number> {
  let least = Infinity;
  for (let round = 0; round <= rounds; round += 1) {
    const endsAt = performance.now() + roundMs / 2;
    const before = process.cpuUsage();
    let count = 0;
    while (performance.now() < endsAt) {
      await work();
      count += 1;
    }
    const { system, user } = process.cpuUsage(before);
    if (round > 0) least = Math.min(least, (system + user) / 1_000 / count);
  }
  return least;
}

/** Gives the bytes of the answer's body. */
async function answered(service: Service, method: string, path: string, init: RequestInit): Promise<number> {
  const { body, status } = await service.open(method, path, init);
  if (status !== 200) throw new Error(`${method} ${path} was answered ${status}.`);
  let bytes = 0;
  if (typeof body === "string") bytes = body.length;
  else if (body !== undefined) for await (const piece of body) bytes += piece.length;
  return bytes;
}

function entriesOf(count: number): readonly Entry[] {
  const id = parseTransactionId("0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d");
  const node = parseNodeId("0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4e");
  let trx = { id, node, number: 0 };
  return events(count, smallBytes).map((record, index) => {
    if (index % batch === 0) trx = { id, node, number: trx.number + 1 };
    return { ...record, sequence: index + 1, timestamp: 1_795_413_241_659 + trx.number, trx, space, segment };
  });
}

function idleStore(entries: readonly Entry[]): Store {
  const unused = (): never => {
    throw new Error("This call is not measured.");
  };
  async function* produce(
    _space: typeof space,
    _segment: typeof segment,
    records: AsyncIterable<AppendRecord> | Iterable<AppendRecord>,
  ): AsyncGenerator<ProducedChunk> {
    const trx = entries[0]?.trx;
    if (trx === undefined) return;
    for await (const chunk of chunkRecords(records)) {
      const transaction = { ...trx, firstSequence: 1, lastSequence: chunk.length, duplicate: false };
      yield { status: { ...emptyStatus(space, segment), lastSequence: chunk.length }, transaction };
    }
  }
  // eslint-disable-next-line @typescript-eslint/require-await -- a store reads without a wait only here
  async function* consumeSegment(
    _space: typeof space,
    _segment: typeof segment,
    { from = 0, limit = 0 }: ConsumeSegmentArgs = {},
  ): AsyncGenerator<Entry> {
    const first = Math.max(1, from) - 1;
    const end = limit === 0 ? entries.length : Math.min(entries.length, first + limit);
    for (let at = first; at < end; at += 1) {
      const entry = entries[at];
      if (entry !== undefined) yield entry;
    }
  }
  return new Proxy({ id: newStore(), produce, consumeSegment } as unknown as Store, {
    get: (target, name) => (Reflect.get(target, name) as unknown) ?? unused,
  });
}

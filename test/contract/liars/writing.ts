// Lies about what was done.

import { emptyStatus } from "../../../src/core/entry.ts";
import type { AppendRecord, Entry } from "../../../src/core/entry.ts";
import { StoreError } from "../../../src/core/errors.ts";
import type { ErrorCode } from "../../../src/core/errors.ts";
import { parseNodeId } from "../../../src/core/ids.ts";
import type { SegmentName, SpaceName } from "../../../src/core/ids.ts";
import type { ProducedChunk, Store } from "../../../src/store/store.ts";
import { all, newId } from "../given.ts";
import type { Liar } from "./liar.ts";
import { except } from "./liar.ts";

export const writingLiars: readonly Liar[] = [
  {
    lie: "accepts a gap",
    topic: "sequences",
    tell: (truth) => ({
      produce: (space, segment, records, options) =>
        instead(truth.produce(space, segment, records, options), "sequence_mismatch", (error) =>
          Number(error.details.received) > Number(error.details.expected) ? [acknowledged(space, segment)] : undefined,
        ),
    }),
  },
  {
    lie: "writes over a gap, at the place that would have fitted",
    topic: "sequences",
    tell: (truth) => ({
      produce: (space, segment, records, options) =>
        truth.produce(
          space,
          segment,
          unsequenced(records, (sequences) => Math.min(...sequences) > 6),
          options,
        ),
    }),
  },
  {
    lie: "accepts a repeat",
    topic: "sequences",
    tell: (truth) => ({
      produce: (space, segment, records, options) =>
        instead(truth.produce(space, segment, records, options), "sequence_mismatch", (error) =>
          Number(error.details.received) < Number(error.details.expected) ? [acknowledged(space, segment)] : undefined,
        ),
    }),
  },
  {
    lie: "expects one more than it should",
    topic: "sequences",
    tell: (truth) => ({
      produce: (space, segment, records, options) =>
        instead(truth.produce(space, segment, records, options), "sequence_mismatch", ({ message, details }) => {
          throw new StoreError("sequence_mismatch", message, {
            details: { ...details, expected: Number(details.expected) + 1 },
          });
        }),
    }),
  },
  {
    lie: "tells a loser that it won",
    topic: "racing producers",
    tell: (truth) => ({
      produce: (space, segment, records, options) =>
        instead(truth.produce(space, segment, records, options), "sequence_mismatch", () => [
          acknowledged(space, segment),
        ]),
    }),
  },
  {
    lie: "forgets to tell a loser who won",
    topic: "racing producers",
    tell: (truth) => ({
      produce: (space, segment, records, options) =>
        instead(truth.produce(space, segment, records, options), "sequence_mismatch", ({ message, details }) => {
          throw new StoreError("sequence_mismatch", message, { details: except(details, "winner") });
        }),
    }),
  },
  {
    lie: "shows what a loser wrote, in its space",
    topic: "racing producers",
    tell: (truth, memory) => ({
      produce: (space, segment, records, options) =>
        instead(truth.produce(space, segment, records, options), "sequence_mismatch", async (error) => {
          const lost = (await all(truth.consumeSpace(space, { limit: 1 })))[0];
          if (lost !== undefined) memory.set(`${truth.id} ${space}`, { ...lost, payload: Buffer.from("lost") });
          throw error;
        }),
      async *consumeSpace(space, args) {
        yield* truth.consumeSpace(space, args);
        const lost = memory.get(`${truth.id} ${space}`) as Entry | undefined;
        if (lost !== undefined) yield lost;
      },
    }),
  },
  {
    lie: "acknowledges a produce that it does not write",
    topic: "racing producers",
    tell: (truth, memory) => ({
      async *produce(space, segment, records, options) {
        const count = Number(memory.get(truth.id) ?? 0) + 1;
        memory.set(truth.id, count);
        if (count === 2) yield acknowledged(space, segment);
        else yield* truth.produce(space, segment, records, options);
      },
    }),
  },
  {
    lie: "commits a chunk record by record",
    topic: "transactions",
    tell: (truth) => ({
      async *produce(space, segment, records, options) {
        let last: ProducedChunk | undefined;
        for await (const record of records) [last] = await all(truth.produce(space, segment, [record], { ...options, transactionId: newId() })); // prettier-ignore
        if (last !== undefined) yield last;
      },
    }),
  },
  {
    lie: "numbers transactions from 0",
    topic: "transactions",
    tell: (truth) => ({
      produce: (space, segment, records, options) =>
        changed(truth.produce(space, segment, records, options), (transaction) => ({ number: transaction.number - 1 })),
    }),
  },
  {
    lie: "gives every entry a time of its own",
    topic: "transactions",
    tell: (truth) => ({
      async *consumeSegment(space, segment, args) {
        for await (const entry of truth.consumeSegment(space, segment, args)) {
          yield { ...entry, timestamp: entry.timestamp + entry.sequence / 1_000 };
        }
      },
    }),
  },
  {
    lie: "gives each entry the node of its reader",
    topic: "transactions",
    tell: (truth) => ({
      async *consumeSegment(space, segment, args) {
        for await (const entry of truth.consumeSegment(space, segment, args)) {
          yield { ...entry, trx: { ...entry.trx, node: parseNodeId(crypto.randomUUID()) } };
        }
      },
    }),
  },
  {
    lie: "writes a repeat again",
    topic: "idempotence",
    tell: (truth) => ({
      produce: (space, segment, records, options = {}) =>
        truth.produce(space, segment, records, except(options, "transactionId")),
    }),
  },
  {
    lie: "does not say that a repeat is a duplicate",
    topic: "idempotence",
    tell: (truth) => ({
      produce: (space, segment, records, options) =>
        changed(truth.produce(space, segment, records, options), () => ({ duplicate: false })),
    }),
  },
  {
    lie: "answers a repeat with the places of now",
    topic: "idempotence",
    tell: (truth) => ({
      async *produce(space, segment, records, options) {
        for await (const chunk of truth.produce(space, segment, records, options)) {
          if (chunk.transaction?.duplicate !== true) yield chunk;
          else yield { ...chunk, status: await truth.getSegmentStatus!(space, segment) };
        }
      },
    }),
  },
  {
    lie: "takes other content under a known id for a duplicate",
    topic: "idempotence",
    tell: (truth) => ({
      produce: (space, segment, records, options) =>
        instead(truth.produce(space, segment, records, options), "transaction_id_mismatch", () => [
          acknowledged(space, segment),
        ]),
    }),
  },
  {
    lie: "writes other content under a known id",
    topic: "idempotence",
    tell: (truth) => ({
      async *produce(space, segment, records, options) {
        try {
          yield* truth.produce(space, segment, records, options);
        } catch (error) {
          if (!(error instanceof StoreError) || error.code !== "transaction_id_mismatch") throw error;
          yield* truth.produce(
            space,
            segment,
            unsequenced(records, () => true),
          );
        }
      },
    }),
  },
  {
    lie: "takes a request for done when its first chunk is",
    topic: "idempotence",
    tell: (truth) => ({
      async *produce(space, segment, records, options) {
        for await (const chunk of truth.produce(space, segment, records, options)) {
          yield chunk;
          if (chunk.transaction?.duplicate === true) return;
        }
      },
    }),
  },
  {
    lie: "commits to several segments one after the other",
    topic: "produce to several segments",
    tell: (truth) => ({
      async produceAll(space, segments, options) {
        const chunks: ProducedChunk[] = [];
        for (const { segment, records } of segments)
          chunks.push(...(await all(truth.produce(space, segment, records, options))));
        return chunks;
      },
    }),
  },
  {
    lie: "cuts a record that is too large",
    topic: "produce",
    tell: (truth) => ({
      produce: (space, segment, records, options) =>
        truth.produce(
          space,
          segment,
          mapped(records, (record) => ({ ...record, payload: record.payload.subarray(0, 786_432) })),
          options,
        ),
    }),
  },
  {
    lie: "writes what comes before a record that is too large",
    topic: "produce",
    tell: (truth) => ({
      async *produce(space, segment, records, options) {
        const given = await all(mapped(records, (record) => record));
        const large = given.findIndex(({ payload }) => payload.byteLength > 786_432);
        if (large > 0) yield* truth.produce(space, segment, given.slice(0, large), options);
        yield* truth.produce(space, segment, large > 0 ? given.slice(large) : given, options);
      },
    }),
  },
  {
    lie: "drops metadata that is empty",
    topic: "produce",
    tell: (truth) => ({
      produce: (space, segment, records, options) =>
        truth.produce(space, segment, mapped(records, (record) => ({ ...record, metadata: new Map([...record.metadata].filter(([, value]) => value !== "")) })), options), // prettier-ignore
    }),
  },
  {
    lie: "takes payloads for text",
    topic: "produce",
    tell: (truth) => ({
      produce: (space, segment, records, options) =>
        truth.produce(space, segment, mapped(records, (record) => ({ ...record, payload: Buffer.from(Buffer.from(record.payload).toString()) })), options), // prettier-ignore
    }),
  },
  {
    lie: "answers once for all chunks",
    topic: "produce",
    tell: (truth) => ({
      async *produce(space, segment, records, options) {
        const last = (await all(truth.produce(space, segment, records, options))).at(-1);
        if (last !== undefined) yield last;
      },
    }),
  },
  {
    lie: "leaves a name behind when nothing was produced",
    topic: "names",
    tell: (truth, memory) => ({
      async *produce(space, segment, records, options) {
        memory.set(`${truth.id} ${space}`, segment);
        yield* truth.produce(space, segment, records, options);
      },
      async *getSegments(space, options) {
        const names = await all(truth.getSegments(space, options));
        const left = memory.get(`${truth.id} ${space}`) as SegmentName | undefined;
        yield* names.length === 0 && left !== undefined ? [left] : names;
      },
    }),
  },
  {
    lie: "goes on after it was closed",
    topic: "cancel and close",
    tell: () => ({ close: () => Promise.resolve() }),
  },
  {
    lie: "does not wait for what runs when it is closed",
    topic: "cancel and close",
    tell: (truth) => ({
      close: () => {
        void truth.close();
        return Promise.resolve();
      },
    }),
  },
  {
    lie: "never wakes who waits for a commit",
    topic: "produce",
    tell: () => ({ onCommit: () => () => undefined }),
  },
];

/** An acknowledgement of nothing. */
function acknowledged(space: SpaceName, segment: SegmentName): ProducedChunk {
  const status = {
    ...emptyStatus(space, segment),
    firstSequence: 1,
    firstTimestamp: 1,
    lastSequence: 1,
    lastTimestamp: 1,
  };
  return { status, transaction: { id: newId(), number: 1, firstSequence: 1, lastSequence: 1, duplicate: false } };
}

/** What is said instead of an error of this code; undefined: the error after all. */
async function* instead(
  chunks: AsyncIterable<ProducedChunk>,
  code: ErrorCode,
  said: (error: StoreError) => ProducedChunk[] | undefined | Promise<ProducedChunk[]>,
): AsyncGenerator<ProducedChunk> {
  try {
    yield* chunks;
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== code) throw error;
    const answer = await said(error);
    if (answer === undefined) throw error;
    yield* answer;
  }
}

type Transaction = NonNullable<ProducedChunk["transaction"]>;

async function* changed(
  chunks: AsyncIterable<ProducedChunk>,
  change: (transaction: Transaction) => Partial<Transaction>,
): AsyncGenerator<ProducedChunk> {
  for await (const chunk of chunks) {
    const { transaction } = chunk;
    yield transaction === undefined ? chunk : { ...chunk, transaction: { ...transaction, ...change(transaction) } };
  }
}

type Records = Parameters<Store["produce"]>[2];

async function* mapped(records: Records, map: (record: AppendRecord) => AppendRecord): AsyncGenerator<AppendRecord> {
  for await (const record of records) yield map(record);
}

/** Takes the sequences away when they would be in the way. */
async function* unsequenced(
  records: Records,
  when: (sequences: readonly number[]) => boolean,
): AsyncGenerator<AppendRecord> {
  const given = await all(mapped(records, (record) => record));
  const sequences = given.flatMap(({ sequence }) => (sequence === undefined ? [] : [sequence]));
  yield* when(sequences) ? given.map((record) => except(record, "sequence")) : given;
}

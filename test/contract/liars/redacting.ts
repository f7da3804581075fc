// Lies about what a redaction has removed, and what it left.

import type { Entry } from "../../../src/core/entry.ts";
import { transactionIdMismatch } from "../../../src/core/errors.ts";
import type { Store } from "../../../src/store/store.ts";
import type { Liar } from "./liar.ts";
import { except } from "./liar.ts";

const topic = "redaction";

export const redactingLiars: readonly Liar[] = [
  {
    lie: "says that entries are redacted, and keeps them",
    topic,
    tell: () => ({ redact: () => Promise.resolve() }),
  },
  {
    lie: "redacts entries in their segment, and shows them in the space",
    topic,
    tell: (truth, memory) => ({
      redact: remembering(truth, memory),
      consumeSpace: (space, args) => former(memory, truth.consumeSpace(space, args)),
    }),
  },
  {
    lie: "still shows the last entry to who peeks",
    topic,
    tell: (truth, memory) => ({
      redact: remembering(truth, memory),
      peek: async (space, segment, options) => {
        const entry = await truth.peek(space, segment, options);
        return entry && before(memory, entry);
      },
    }),
  },
  {
    lie: "leaves redacted entries out",
    topic,
    tell: (truth) => ({
      consumeSegment: async function* (space, segment, args) {
        for await (const entry of truth.consumeSegment(space, segment, args)) if (entry.redacted !== true) yield entry;
      },
    }),
  },
  {
    lie: "shows a redacted entry as one that is empty",
    topic,
    tell: (truth) => ({
      consumeSegment: async function* (space, segment, args) {
        for await (const entry of truth.consumeSegment(space, segment, args)) yield except(entry, "redacted");
      },
    }),
  },
  {
    lie: "redacts the whole transaction",
    topic,
    tell: (truth) => ({
      redact: async (space, segment, sequences, options) => {
        await truth.redact(space, segment, sequences, options);
        const whole = new Set<number>();
        const ids = new Set<string>();
        for await (const { sequence, trx } of truth.consumeSegment(space, segment)) {
          if (sequences.includes(sequence)) ids.add(trx.id);
        }
        for await (const { sequence, trx } of truth.consumeSegment(space, segment)) {
          if (ids.has(trx.id)) whole.add(sequence);
        }
        await truth.redact(space, segment, [...whole], options);
      },
    }),
  },
  {
    lie: "passes over what the segment does not have",
    topic,
    tell: (truth) => ({
      redact: async (space, segment, sequences, options) => {
        for await (const { sequence } of truth.consumeSegment(space, segment)) {
          if (sequences.includes(sequence)) await truth.redact(space, segment, [sequence], options);
        }
      },
    }),
  },
  {
    lie: "leaves what is committed and not applied",
    topic,
    tell: (truth, memory) => ({
      produce: (space, segment, records, options = {}) => {
        if (options.ack === "committed") memory.set(`${truth.id} ${segment}`, true);
        return truth.produce(space, segment, records, options);
      },
      redact: async (space, segment, sequences, options) => {
        if (!memory.has(`${truth.id} ${segment}`)) await truth.redact(space, segment, sequences, options);
      },
    }),
  },
  {
    lie: "takes a repeat for another transaction once an entry of it is redacted",
    topic,
    tell: (truth, memory) => ({
      redact: remembering(truth, memory),
      produce: async function* (space, segment, records, options = {}) {
        const { transactionId } = options;
        const gone = [...memory.values()].some((entry) => (entry as Entry).trx.id === transactionId);
        if (gone && transactionId !== undefined) throw transactionIdMismatch(transactionId);
        yield* truth.produce(space, segment, records, options);
      },
    }),
  },
  {
    lie: "finds a redacted entry by the metadata that it had",
    topic,
    tell: (truth, memory) => ({
      redact: remembering(truth, memory),
      consumeSpace: async function* (space, args = {}) {
        const { filter } = args;
        if (filter === undefined || filter.where.size === 0) {
          yield* truth.consumeSpace(space, args);
          return;
        }
        for await (const entry of truth.consumeSpace(space, { ...args, filter: { ...filter, where: new Map() } })) {
          const { metadata } = before(memory, entry);
          if ([...filter.where].every(([key, values]) => values.has(metadata.get(key) ?? ""))) yield entry;
        }
      },
    }),
  },
];

/** Keeps the entries that go. */
function remembering(truth: Store, memory: Map<string, unknown>): Store["redact"] {
  return async (space, segment, sequences, options) => {
    for await (const entry of truth.consumeSegment(space, segment)) {
      if (sequences.includes(entry.sequence) && entry.redacted !== true) memory.set(keyOf(entry), entry);
    }
    await truth.redact(space, segment, sequences, options);
  };
}

async function* former(memory: Map<string, unknown>, entries: AsyncIterable<Entry>): AsyncGenerator<Entry> {
  for await (const entry of entries) yield before(memory, entry);
}

function before(memory: Map<string, unknown>, entry: Entry): Entry {
  return (memory.get(keyOf(entry)) as Entry | undefined) ?? entry;
}

function keyOf({ sequence, timestamp, trx }: Entry): string {
  return `${trx.id} ${timestamp} ${sequence}`;
}

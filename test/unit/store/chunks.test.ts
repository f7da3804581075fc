import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AppendRecord } from "../../../src/core/entry.ts";
import { contentBytes, noMetadata } from "../../../src/core/entry.ts";
import { limits } from "../../../src/core/limits.ts";
import { chunkRecords } from "../../../src/store/create-store.ts";

const { chunkBytesMax, chunkRecordsMax, recordBytesMax } = limits;
/** Shared, so that many large records cost nothing. */
const bytes = new Uint8Array(recordBytesMax + 1);

interface Outcome {
  readonly chunks: readonly (readonly AppendRecord[])[];
  readonly error: unknown;
}

describe("boundaries", () => {
  const size = fc.oneof(
    { weight: 5, arbitrary: fc.nat({ max: 300_000 }) },
    fc.constantFrom(0, 1, chunkBytesMax / 2, chunkBytesMax / 2 + 1, recordBytesMax - 1, recordBytesMax),
  );
  const records = fc.oneof(
    fc.array(size, { maxLength: 30 }).map((sizes) => sizes.map((bytes) => sized(bytes))),
    fc.integer({ min: 0, max: 2 * chunkRecordsMax + 1 }).map((count) => Array.from({ length: count }, () => sized(1))),
  );

  test("are the same however the records arrive", async () => {
    await fc.assert(
      fc.asyncProperty(
        records,
        fc.array(fc.nat({ max: 2 }), { minLength: 1, maxLength: 5 }),
        async (values, delays) => {
          const { chunks, error } = await chunksOf(values);
          expect(error).toBeUndefined();
          const lengths = chunks.map((chunk) => chunk.length);
          for (const source of [new Set(values.map((value) => ({ ...value }))), late(values, delays)]) {
            expect((await chunksOf(source)).chunks.map((chunk) => chunk.length)).toEqual(lengths);
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  test("lose, repeat and reorder nothing, and each chunk is as long as the limits allow", async () => {
    await fc.assert(
      fc.asyncProperty(records, async (values) => {
        const { chunks, error } = await chunksOf(values);
        expect(error).toBeUndefined();
        const order = chunks.flat();
        expect(order).toHaveLength(values.length);
        expect(order.every((record, index) => record === values[index])).toBe(true);
        for (const [index, chunk] of chunks.entries()) {
          expect(chunk.length).toBeGreaterThan(0);
          expect(chunk.length).toBeLessThanOrEqual(chunkRecordsMax);
          expect(total(chunk)).toBeLessThanOrEqual(chunkBytesMax);
          const next = chunks[index + 1]?.[0];
          if (next === undefined) continue;
          expect(chunk.length === chunkRecordsMax || total(chunk) + contentBytes(next) > chunkBytesMax).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });

  test("a chunk that is exactly full is one chunk", async () => {
    const half = chunkBytesMax / 2;
    const { chunks } = await chunksOf([sized(half), sized(half), sized(half), sized(half + 1)]);
    expect(chunks.map((chunk) => chunk.length)).toEqual([2, 1, 1]);
  });

  test("count metadata as the limits do", async () => {
    const metadata = new Map([["k", "é".repeat(100_000)]]);
    const { chunks } = await chunksOf(Array.from({ length: 4 }, () => ({ payload: new Uint8Array(), metadata })));
    expect(chunks.map((chunk) => chunk.length)).toEqual([3, 1]);
  });

  test("no records, no chunks", async () => {
    expect(await chunksOf([])).toEqual({ chunks: [], error: undefined });
    expect(await chunksOf(late([], [1]))).toEqual({ chunks: [], error: undefined });
  });
});

describe("a record that no store may take is refused", () => {
  test("when it is too large, saying the limit, its size and which it is", async () => {
    const { chunks, error } = await chunksOf([sized(1), sized(recordBytesMax + 1)]);
    expect(error).toMatchObject({
      code: "record_too_large",
      effect: "none",
      details: { limit: recordBytesMax, size: recordBytesMax + 1, field: "records[1]" },
    });
    expect(chunks).toEqual([]);
  });

  test("when its metadata alone make it too large", async () => {
    const metadata = new Map([["k", "v".repeat(recordBytesMax - 8)]]);
    const { error } = await chunksOf([{ payload: new Uint8Array(), metadata }]);
    expect(error).toMatchObject({
      code: "record_too_large",
      details: { size: recordBytesMax + 1, field: "records[0]" },
    });
  });

  test("but the largest that may be is a chunk of its own, wherever it stands", async () => {
    const { chunks, error } = await chunksOf([sized(1), sized(recordBytesMax), sized(1)]);
    expect(error).toBeUndefined();
    expect(chunks.map((chunk) => chunk.length)).toEqual([1, 1, 1]);
  });

  test.each<[string, readonly AppendRecord[], string]>([
    ["a metadata key that is no Unicode", [sized(1), withMetadata("\ud800", "v")], "records[1].metadata"],
    ["a metadata value that is no Unicode", [withMetadata("k", "\udc00")], "records[0].metadata"],
    ["a sequence after records without one", [sized(1), sized(1, 1)], "records[1].sequence"],
    ["no sequence after records with one", [sized(1, 1), sized(1, 2), sized(1)], "records[2].sequence"],
    ["a sequence of 0", [sized(1, 0)], "records[0].sequence"],
    ["a negative sequence", [sized(1, -1)], "records[0].sequence"],
    ["a sequence that is no integer", [sized(1, 1.5)], "records[0].sequence"],
    ["a sequence that is no number", [sized(1, Number.NaN)], "records[0].sequence"],
    ["a sequence that would be rounded", [sized(1, 1), sized(1, 2 ** 53)], "records[1].sequence"],
  ])("for %s, naming the place, and nothing of its chunk is yielded", async (_, values, field) => {
    for (const source of [values, late(values, [0, 1])]) {
      const { chunks, error } = await chunksOf(source);
      expect(error).toMatchObject({ code: "invalid_argument", details: { field } });
      expect(chunks).toEqual([]);
    }
  });

  test("while gaps and repeats are left to the segment to judge", async () => {
    const values = [sized(1, 7), sized(1, 9), sized(1, 9)];
    expect(await chunksOf(values)).toEqual({ chunks: [values], error: undefined });
  });
});

describe("an error on the way", () => {
  const before = Array.from({ length: 2 * chunkRecordsMax + 5 }, () => sized(1));

  test("of a record comes after the chunks that were complete", async () => {
    const { chunks, error } = await chunksOf([...before, sized(recordBytesMax + 1)]);
    expect(chunks.map((chunk) => chunk.length)).toEqual([chunkRecordsMax, chunkRecordsMax]);
    expect(error).toMatchObject({ code: "record_too_large", details: { field: `records[${before.length}]` } });
  });

  test("of the source comes after them too, as it is", async () => {
    const broken = new Error("cut");
    const { chunks, error } = await chunksOf(
      (async function* () {
        yield* late(before, [0]);
        throw broken;
      })(),
    );
    expect(chunks.map((chunk) => chunk.length)).toEqual([chunkRecordsMax, chunkRecordsMax]);
    expect(error).toBe(broken);
  });
});

describe("laziness", () => {
  test("nothing is taken before the first chunk is asked for, and no more than shows it complete", async () => {
    for (const kind of ["sync", "async"] as const) {
      const source = counted(kind);
      const chunks = chunkRecords(source.records)[Symbol.asyncIterator]();
      await turn();
      expect(source.taken).toBe(0);
      await chunks.next();
      await turn();
      expect(source.taken).toBe(chunkRecordsMax);
      await chunks.next();
      expect(source.taken).toBe(2 * chunkRecordsMax);
    }
  });

  test.each(["sync", "async"] as const)("leaving closes the source, %s", async (kind) => {
    const source = counted(kind);
    for await (const chunk of chunkRecords(source.records)) {
      expect(chunk).toHaveLength(chunkRecordsMax);
      break;
    }
    expect(source).toMatchObject({ taken: chunkRecordsMax, closed: true });
  });

  test.each(["sync", "async"] as const)("a refused record closes the source, %s", async (kind) => {
    const source = counted(kind, sized(1, 0));
    const { error } = await chunksOf(source.records);
    expect(error).toMatchObject({ code: "invalid_argument" });
    expect(source).toMatchObject({ taken: 1, closed: true });
  });
});

function sized(size: number, sequence?: number): AppendRecord {
  const payload = bytes.subarray(0, size);
  return { payload, metadata: noMetadata, ...(sequence === undefined ? {} : { sequence }) };
}

function withMetadata(key: string, value: string): AppendRecord {
  return { payload: new Uint8Array(), metadata: new Map([[key, value]]) };
}

function total(chunk: readonly AppendRecord[]): number {
  return chunk.reduce((sum, record) => sum + contentBytes(record), 0);
}

async function chunksOf(source: AsyncIterable<AppendRecord> | Iterable<AppendRecord>): Promise<Outcome> {
  const chunks: (readonly AppendRecord[])[] = [];
  try {
    for await (const chunk of chunkRecords(source)) chunks.push(chunk);
  } catch (error) {
    return { chunks, error };
  }
  return { chunks, error: undefined };
}

/** The records, each after some turns of the event loop: 0 none, 1 a microtask, 2 a whole turn. */
async function* late(records: readonly AppendRecord[], delays: readonly number[]): AsyncGenerator<AppendRecord> {
  for (const [index, record] of records.entries()) {
    const delay = delays[index % delays.length];
    if (delay === 1) await Promise.resolve();
    if (delay === 2) await turn();
    yield record;
  }
}

interface Counted {
  readonly records: AsyncIterable<AppendRecord> | Iterable<AppendRecord>;
  taken: number;
  closed: boolean;
}

/** An endless source that counts what was taken of it. */
function counted(kind: "sync" | "async", record = sized(1)): Counted {
  function* endless(): Generator<AppendRecord> {
    try {
      for (;;) {
        source.taken += 1;
        yield record;
      }
    } finally {
      source.closed = true;
    }
  }
  async function* endlessLate(): AsyncGenerator<AppendRecord> {
    for (const value of endless()) {
      await Promise.resolve();
      yield value;
    }
  }
  const source: Counted = { records: kind === "sync" ? endless() : endlessLate(), taken: 0, closed: false };
  return source;
}

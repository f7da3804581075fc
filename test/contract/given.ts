// The words that claims are written in: records to write, ways to read all of it, and what is the same as what.

import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import type { AppendRecord, Entry, Metadata } from "../../src/core/entry.ts";
import { noMetadata } from "../../src/core/entry.ts";
import type { ErrorCode } from "../../src/core/errors.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { SegmentName, SpaceName, TransactionId } from "../../src/core/ids.ts";
import { parseSegmentName, parseSpaceName, parseTransactionId } from "../../src/core/ids.ts";
import type { ProducedChunk, ProduceOptions, Store } from "../../src/store/store.ts";

export const orders = parseSpaceName("orders");
export const first = parseSegmentName("order-1");

export function space(text: string): SpaceName {
  return parseSpaceName(text);
}

export function segment(text: string): SegmentName {
  return parseSegmentName(text);
}

export function newId(): TransactionId {
  return parseTransactionId(randomUUID());
}

export function record(payload: string | Uint8Array, metadata: Metadata = noMetadata): AppendRecord {
  return { payload: typeof payload === "string" ? Buffer.from(payload) : payload, metadata };
}

/** `count` small records that tell themselves apart. */
export function records(count: number, prefix = "event"): readonly AppendRecord[] {
  return Array.from({ length: count }, (_, index) => record(`${prefix} ${index + 1}`));
}

/** The same records with sequences from `from` on. */
export function from(sequence: number, given: readonly AppendRecord[]): readonly AppendRecord[] {
  return given.map((one, index) => ({ ...one, sequence: sequence + index }));
}

/** One record for each sequence, whatever they are. */
export function at(sequences: readonly number[], prefix = "at"): readonly AppendRecord[] {
  return sequences.map((sequence) => ({ ...record(`${prefix} ${sequence}`), sequence }));
}

/** Bytes that do not compress, the same each time. */
export function incompressible(bytes: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  let state = seed * 2_654_435_761 + 1;
  for (let index = 0; index < words.length; index += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  return new Uint8Array(words.buffer, 0, bytes);
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

export function produce(
  store: Store,
  to: SegmentName,
  given: Iterable<AppendRecord> | AsyncIterable<AppendRecord>,
  options: ProduceOptions & { readonly space?: SpaceName } = {},
): Promise<ProducedChunk[]> {
  const { space: into = orders, ...rest } = options;
  return all(store.produce(into, to, given, rest));
}

export function segmentEntries(store: Store, of: SegmentName, within: SpaceName = orders): Promise<Entry[]> {
  return all(store.consumeSegment(within, of));
}

export function spaceEntries(store: Store, of: SpaceName = orders): Promise<Entry[]> {
  return all(store.consumeSpace(of));
}

/** What was read before a stream failed, and how it failed; fails when the stream ends well. */
export async function untilError<T>(items: AsyncIterable<T>): Promise<{ readonly read: T[]; readonly error: unknown }> {
  const read: T[] = [];
  try {
    for await (const item of items) read.push(item);
  } catch (error) {
    return { read, error };
  }
  return expect.fail(`expected an error, but the stream ended after ${read.length} items`);
}

/** The error that work ends in, which has this code; fails when the work succeeds or ends in another. */
export async function refused(
  work: Promise<unknown> | AsyncIterable<unknown>,
  ...codes: readonly ErrorCode[]
): Promise<StoreError> {
  const promise = Symbol.asyncIterator in work ? all(work) : work;
  const error: unknown = await promise.then(
    () => expect.fail(`expected ${codes.join(" or ")}, but it succeeded`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof StoreError)) throw error;
  expect(codes, error.message).toContain(error.code);
  return error;
}

/** These records, in this order, from `firstSequence` on, byte for byte, and nothing else. */
export function expectContent(entries: readonly Entry[], given: readonly AppendRecord[], firstSequence = 1): void {
  expect(entries.length).toBe(given.length);
  for (const [index, entry] of entries.entries()) {
    const { payload, metadata } = given[index]!;
    // Compared by hand, because thousands of them are.
    if (entry.sequence !== firstSequence + index) expect(entry.sequence).toBe(firstSequence + index);
    if (Buffer.compare(entry.payload, payload) !== 0) expect(shown(entry.payload)).toBe(shown(payload));
    if (metadata.size > 0 || entry.metadata.size > 0) {
      expect(sorted(entry.metadata)).toEqual(sorted(metadata));
    }
  }
}

/** Plain values that are equal exactly when the entries are, whatever kind of bytes they hold. */
export function plain(entries: readonly Entry[]): unknown[] {
  return entries.map(({ space: within, segment: of, sequence, timestamp, trx, payload, metadata }) => ({
    place: `${within} ${of} ${sequence}`,
    timestamp,
    trx: `${trx.id} ${trx.node} ${trx.number}`,
    payload: shown(payload),
    metadata: sorted(metadata),
  }));
}

export function expectSame(found: readonly Entry[], expected: readonly Entry[]): void {
  expect(plain(found)).toEqual(plain(expected));
}

/** Waits until it is so; fails with what it was about when it is not in time. */
export async function eventually(what: string, isSo: () => Promise<boolean>, timeoutMs = 15_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await isSo())) {
    if (Date.now() > deadline) expect.fail(`not in time: ${what}`);
    await delay(20);
  }
}

function sorted(metadata: Metadata): [string, string][] {
  return [...metadata].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function shown(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString("hex");
  return text.length <= 200 ? text : `${text.length / 2} bytes ${hash(bytes)}`;
}

function hash(bytes: Uint8Array): string {
  let sum = 2_166_136_261;
  for (const byte of bytes) sum = Math.imul(sum ^ byte, 16_777_619) >>> 0;
  return sum.toString(16);
}

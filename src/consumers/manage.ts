// An operator's work on a consumer as a whole: make it, change its rules, set it back, remove it. Each is one
// transaction over all of its rows, so that holders notice with their next write.
//
// Promise: of several that race one wins, and the others decide again. A consumer that was removed leaves a tombstone:
// what was still on its way cannot bring it back.

import { sleep } from "../core/clock.ts";
import { invalidArgument, StoreError } from "../core/errors.ts";
import type { ConsumerName, Cursor, SpaceName } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { cursorAfter } from "../codec/cursor.ts";
import type { Properties, Write } from "../table/port.ts";
import { TableFailure } from "../table/port.ts";
import { asStoreError } from "../table/store-error.ts";
import type { Consumer, ConsumerRules } from "./consumer.ts";
import {
  consumerNameRow,
  consumerNames,
  consumerPartition,
  consumerRowKey,
  encodeConsumer,
  nameOfRow,
  tombstone,
} from "./consumer.ts";
import type { ConsumersInstance, StoreParts } from "./known.ts";
import { formerMarksRange } from "./mark.ts";
import type { Partition } from "./partition.ts";
import { encodePartition, newPartition, partitionRowKey } from "./partition.ts";
import type { Position } from "./position.ts";
import type { Seen } from "./rows.ts";
import { readAll, readSeen } from "./rows.ts";
import { noConsumer } from "./view.ts";

/** Where a consumer begins in its spaces. */
export type From =
  | { readonly kind: "start" }
  | { readonly kind: "end" }
  | { readonly kind: "timestamp"; readonly timestamp: number }
  /** Spaces that are not named begin at their end. */
  | { readonly kind: "offsets"; readonly offsets: ReadonlyMap<SpaceName, Cursor> };

export interface PutConsumer extends ConsumerRules {
  /** Absent: as it is, or 4. */
  readonly partitions?: number | undefined;
  /** Only of a new consumer, and of spaces that are new to it. */
  readonly from: From;
}

const partitionsDefault = 4;
const attemptsMax = 8;
const pauseMs = 10;

export async function putConsumer(
  instance: ConsumersInstance,
  parts: StoreParts,
  name: ConsumerName,
  put: PutConsumer,
): Promise<"created" | "updated"> {
  let isListed = false;
  return changing(instance, parts, name, async (seen) => {
    if (seen.row?.kind === "live") {
      const { consumer, etag } = seen.row;
      return { outcome: "updated", writes: await updatesOf(parts.store, consumer, etag, seen, put) };
    }
    // Its name is in the list before it is there: nothing that is there is ever unlisted.
    if (!isListed) await list(parts, name);
    isListed = true;
    const { partitions = partitionsDefault, from, ...rules } = put;
    const life = instance.parts.random.uuid();
    const version = { name, life, generation: 1, revision: 1 };
    const consumer: Consumer = { ...rules, ...version, partitions, createdAt: seen.now };
    const position = await positionFrom(parts.store, consumer.spaces, from);
    const head = seen.row === undefined ? insertOf(consumer) : replaceOf(consumer, seen.row.etag);
    const rows = Array.from({ length: partitions }, (_, number): Write => {
      const properties = encodePartition(consumer, newPartition(position));
      return { kind: "insert", row: partitionRowKey(life, number), properties };
    });
    return { outcome: "created", writes: [head, ...rows] };
  });
}

/** Every token and the generation are raised, parked entries are forgotten. */
export async function resetConsumer(
  instance: ConsumersInstance,
  parts: StoreParts,
  name: ConsumerName,
  from: From,
): Promise<void> {
  const reset = await changing(instance, parts, name, async (seen) => {
    if (seen.row?.kind !== "live") throw noConsumer(name);
    const { consumer, etag } = seen.row;
    const next = { ...consumer, generation: consumer.generation + 1, revision: consumer.revision + 1 };
    const position = await positionFrom(parts.store, consumer.spaces, from);
    const rows = partitionWrites(seen, next, ({ token, delivery, marksVersion }) => ({
      ...newPartition(position),
      ...{ token: token + 1, delivery: delivery + 1, marksVersion },
    }));
    return { outcome: next, writes: [replaceOf(next, etag), ...rows] };
  });
  await sweepMarks(parts, reset);
}

export async function removeConsumer(
  instance: ConsumersInstance,
  parts: StoreParts,
  name: ConsumerName,
): Promise<void> {
  const former = await changing(instance, parts, name, (seen) => {
    if (seen.row?.kind !== "live") throw noConsumer(name);
    const { consumer, etag } = seen.row;
    const row = consumerRowKey(name);
    const gone = [...seen.partitions].map(([number, { etag: ifMatch }]): Write => {
      return { kind: "delete", row: partitionRowKey(consumer.life, number), ifMatch };
    });
    return { outcome: consumer, writes: [{ kind: "replace", row, properties: tombstone, ifMatch: etag }, ...gone] };
  });
  await sweepMarks(parts, { ...former, generation: former.generation + 1 });
}

/** Names that are listed, in UTF-8 order; one may be of a consumer that is gone. */
export async function listNames({ table }: StoreParts): Promise<readonly ConsumerName[]> {
  const { rows } = await readAll(table, { partition: consumerNames, from: "0", to: "g" });
  return rows.map(nameOfRow);
}

/** The place in each space that a consumer begins behind. */
async function positionFrom(store: StoreParts["store"], spaces: readonly SpaceName[], from: From): Promise<Position> {
  return Promise.all(
    spaces.map(async (space) => {
      switch (from.kind) {
        case "start":
          return "" as Cursor;
        case "end":
          return store.spaceTail(space, 0);
        case "timestamp":
          return cursorAfter(space, Math.max(0, from.timestamp - 1));
        case "offsets":
          return from.offsets.get(space) ?? store.spaceTail(space, 0);
      }
    }),
  );
}

async function updatesOf(
  store: StoreParts["store"],
  consumer: Consumer,
  etag: string,
  seen: Seen,
  { partitions = consumer.partitions, from, ...rules }: PutConsumer,
): Promise<Write[]> {
  if (partitions !== consumer.partitions) {
    const expected = `${consumer.partitions}, which is fixed for the consumer's life; or none`;
    throw invalidArgument("partitions", expected, partitions);
  }
  if (!consumer.spaces.every((space) => rules.spaces.includes(space))) {
    throw invalidArgument("spaces", "the consumer's spaces, and others; to leave one out, make another consumer");
  }
  const added = rules.spaces.filter((space) => !consumer.spaces.includes(space));
  const begin = await positionFrom(store, added, from);
  const spaces = [...consumer.spaces, ...added];
  const next: Consumer = { ...consumer, ...rules, spaces, revision: consumer.revision + 1 };
  const rows = partitionWrites(seen, next, (partition) => withSpaces(partition, begin));
  return [replaceOf(next, etag), ...rows];
}

/** The same partition, of more spaces. */
function withSpaces(partition: Partition, begin: Position): Partition {
  const { position, outstanding, gap } = partition;
  return {
    ...partition,
    position: [...position, ...begin],
    outstanding: outstanding?.kind === "log" ? { kind: "log", to: [...outstanding.to, ...begin] } : outstanding,
    gap: gap === undefined ? undefined : { ...gap, from: [...gap.from, ...begin], to: [...gap.to, ...begin] },
  };
}

function partitionWrites(seen: Seen, next: Consumer, change: (partition: Partition) => Partition): Write[] {
  return [...seen.partitions].map(([number, { partition, etag }]): Write => {
    const properties: Properties = encodePartition(next, change(partition));
    return { kind: "replace", row: partitionRowKey(next.life, number), properties, ifMatch: etag };
  });
}

function insertOf(consumer: Consumer): Write {
  return { kind: "insert", row: consumerRowKey(consumer.name), properties: encodeConsumer(consumer) };
}

function replaceOf(consumer: Consumer, ifMatch: string): Write {
  return { kind: "replace", row: consumerRowKey(consumer.name), properties: encodeConsumer(consumer), ifMatch };
}

async function list(parts: StoreParts, name: ConsumerName): Promise<void> {
  const names = await listNames(parts);
  if (!names.includes(name) && names.length >= limits.consumersPerStoreMax) {
    throw invalidArgument("consumer", `no more than ${limits.consumersPerStoreMax} consumers in a store`);
  }
  const write: Write = { kind: "upsert", row: consumerNameRow(name), properties: { v: 1n } };
  // Once more where there was no table yet.
  if ((await submit(parts, consumerNames, [write])) === "refused") await submit(parts, consumerNames, [write]);
}

/**
 * Marks of former generations mean nothing. What is left over when the process dies here is garbage, and takes nothing
 * but room.
 */
async function sweepMarks(parts: StoreParts, { name, life, generation }: Consumer): Promise<void> {
  const partition = consumerPartition(name);
  const { rows } = await readAll(parts.table, formerMarksRange(partition, life, generation));
  for (let at = 0; at < rows.length; at += limits.batchOperationsMax) {
    const gone = rows.slice(at, at + limits.batchOperationsMax);
    await submit(
      parts,
      partition,
      gone.map(({ row, etag }) => ({ kind: "delete", row, ifMatch: etag })),
    );
  }
}

async function changing<T>(
  instance: ConsumersInstance,
  parts: StoreParts,
  name: ConsumerName,
  decide: (seen: Seen) => Promise<Decided<T>> | Decided<T>,
): Promise<T> {
  const { clock, random } = instance.parts;
  for (let attempt = 1; ; attempt += 1) {
    const { outcome, writes } = await decide(await readSeen(parts.table, name));
    if ((await submit(parts, consumerPartition(name), writes)) === "done") return outcome;
    if (attempt === attemptsMax) {
      throw new StoreError("overloaded", "Too many change this consumer at the same time.", { retryAfterMs: 1_000 });
    }
    await sleep(clock, attempt * pauseMs * (1 + random.fraction()));
  }
}

interface Decided<T> {
  readonly outcome: T;
  readonly writes: readonly Write[];
}

async function submit({ table }: StoreParts, partition: string, writes: readonly Write[]): Promise<"done" | "refused"> {
  try {
    const result = await table.submit(partition, writes);
    if (result.kind === "done") return "done";
    if (result.reason === "table_missing") await table.create();
    return "refused";
  } catch (error) {
    throw asStoreError(error, error instanceof TableFailure ? error.effect : "unknown");
  }
}

// A consumer: what it reads, how its partitions are shared, what becomes of entries that fail. And the row that it is
// kept in.

import { hash } from "node:crypto";

import type { EntryFilter } from "../core/entry-filter.ts";
import { parseWhere } from "../core/entry-filter.ts";
import { corruptData, readStored } from "../core/errors.ts";
import type { ConsumerName, SegmentName, SegmentPrefix, SpaceName } from "../core/ids.ts";
import { parseConsumerName, parseSpaceName } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { fromHex, hexKey } from "../codec/lexkey.ts";
import type { Properties, Row } from "../table/port.ts";
import { checkRowFormat, decoder, formatProperty, numberIn, textIn, uuidIn } from "../table/row-values.ts";

/** The rules that an operator sets, and may change. */
export interface ConsumerRules {
  readonly spaces: readonly SpaceName[];
  readonly filter: EntryFilter;
  /** Deliveries of an entry that fail before it is parked. */
  readonly maxDeliveries: number;
  /** How long a partition waits after its first, second, third ... failure in a row, seconds; the last one goes on. */
  readonly backoffSeconds: readonly number[];
  /**
   * `parkSegment`: the rest of the segment waits behind the entry. `park`: the entry alone; its segment goes on out of
   * order.
   */
  readonly onPoison: "parkSegment" | "park";
  readonly leaseSeconds: number;
  /** Marks of parked entries in one partition: there it stops rather than parks on. */
  readonly maxParked: number;
  readonly paused: boolean;
}

export interface Consumer extends ConsumerRules {
  readonly name: ConsumerName;
  /** A consumer that is made again under its name has another one: nothing of the former life counts. */
  readonly life: string;
  /** Grows with each reset: keys of entries are new then. */
  readonly generation: number;
  /** Grows with each change of the rules: a holder of an older one reads them again. */
  readonly revision: number;
  readonly partitions: number;
  readonly createdAt: number;
}

/** The row of a name: a consumer, or the tombstone of one, which keeps a late maker from bringing it back. */
export type ConsumerRow = { readonly kind: "live"; readonly consumer: Consumer } | { readonly kind: "deleted" };

/** The partition that a segment belongs to, for good: a part of the hash of its name. */
export function partitionOf(segment: SegmentName, partitions: number): number {
  return Number.parseInt(hash("sha256", segment, "hex").slice(0, 12), 16) % partitions;
}

/** All rows of a consumer are in one partition of the table: they change in one transaction. */
export const consumerPartition = (name: ConsumerName): string => hexKey("CSM", name);
export const consumerRowKey = (name: ConsumerName): string => hexKey("C", name);

/** The names of the consumers of a store; one may be of a consumer that is gone. */
export const consumerNames = hexKey("CSM");
export const consumerNameRow = (name: ConsumerName): string => hexKey(name);

export function nameOfRow({ row }: Row): ConsumerName {
  return readStored(`the name of a consumer in row ${row}`, () =>
    parseConsumerName(Buffer.from(fromHex(row)).toString("utf8")),
  );
}

const formatVersion = 1n;

export function encodeConsumer(consumer: Consumer): Properties {
  const { life, generation, revision, partitions, createdAt, spaces, filter, ...rules } = consumer;
  const where = [...filter.where].flatMap(([key, values]) => [...values].map((value) => `${key}:${value}`));
  return {
    [formatProperty]: formatVersion,
    life: Buffer.from(life.replaceAll("-", ""), "hex"),
    generation: BigInt(generation),
    revision: BigInt(revision),
    partitions: BigInt(partitions),
    created: BigInt(createdAt),
    spaces: JSON.stringify(spaces),
    prefixes: JSON.stringify(filter.prefixes),
    where: JSON.stringify(where),
    deliveries: BigInt(rules.maxDeliveries),
    backoff: JSON.stringify(rules.backoffSeconds),
    poison: rules.onPoison,
    lease: BigInt(rules.leaseSeconds),
    parked: BigInt(rules.maxParked),
    paused: rules.paused,
  };
}

export const tombstone: Properties = { [formatProperty]: formatVersion, deleted: true };

export const decodeConsumerRow = decoder((row, name: ConsumerName): ConsumerRow => {
  checkRowFormat(row, formatVersion, "a consumer");
  if (row.properties["deleted"] === true) return { kind: "deleted" };
  const onPoison = textIn(row, "poison");
  if (onPoison !== "parkSegment" && onPoison !== "park") throw corruptData("what a consumer does with poison");
  const consumer: Consumer = {
    name,
    life: uuidIn(row, "life"),
    generation: numberIn(row, "generation", 1),
    revision: numberIn(row, "revision", 1),
    partitions: numberIn(row, "partitions", 1, limits.consumerPartitionsMax),
    createdAt: numberIn(row, "created"),
    spaces: textsIn(row, "spaces").map((space) => readStored("a space of a consumer", () => parseSpaceName(space))),
    filter: {
      prefixes: textsIn(row, "prefixes") as readonly SegmentPrefix[],
      where: readStored("a condition of a consumer", () => parseWhere(textsIn(row, "where"))),
    },
    maxDeliveries: numberIn(row, "deliveries", 1),
    backoffSeconds: listIn(row, "backoff", (value) => Number.isSafeInteger(value) && Number(value) >= 0) as number[],
    onPoison,
    leaseSeconds: numberIn(row, "lease", 1),
    maxParked: numberIn(row, "parked"),
    paused: row.properties["paused"] === true,
  };
  if (consumer.spaces.length === 0 || consumer.backoffSeconds.length === 0) throw corruptData("a list of a consumer");
  return { kind: "live", consumer };
});

function textsIn(row: Row, name: string): readonly string[] {
  return listIn(row, name, (value) => typeof value === "string") as readonly string[];
}

function listIn(row: Row, name: string, isRight: (value: unknown) => boolean): readonly unknown[] {
  const text = textIn(row, name);
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (cause) {
    throw corruptData(`the list ${name} of a consumer`, cause);
  }
  if (!Array.isArray(list) || !list.every(isRight)) throw corruptData(`the list ${name} of a consumer`);
  return list;
}

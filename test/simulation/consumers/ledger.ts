// What became of a consumer, for the judge: every version of each of its partitions as the storage took it, every call
// of a worker with what it said and was told, and what operators asked for. All in one order.

import { consumerPartition, consumerRowKey, decodeConsumerRow } from "../../../src/consumers/consumer.ts";
import type { Consumer } from "../../../src/consumers/consumer.ts";
import type { Mark } from "../../../src/consumers/mark.ts";
import { decodeMark, marksRange } from "../../../src/consumers/mark.ts";
import type { Partition } from "../../../src/consumers/partition.ts";
import { decodePartition, partitionRowKey, versionOf } from "../../../src/consumers/partition.ts";
import type { ConsumerName, Cursor, SegmentName, SpaceName } from "../../../src/core/ids.ts";
import type { Row } from "../../../src/table/port.ts";
import type { EffectiveWrite } from "../../doubles/simulated-service.ts";

/** An entry that was committed. */
export interface Known {
  readonly offset: Cursor;
  readonly space: number;
  readonly segment: SegmentName;
  readonly sequence: number;
  /** What its handler does with it. */
  readonly kind: "good" | "bad" | "deadly";
}

/** A partition as a write left it. */
export interface Version {
  readonly order: number;
  /** The storage's time. */
  readonly at: number;
  readonly generation: number;
  readonly partition: Partition;
  readonly marks: readonly Mark[];
}

/** One partition of one life of the consumer. */
export interface Chain {
  readonly life: string;
  readonly number: number;
  readonly versions: Version[];
}

/** What a call says of a partition. */
export interface Said {
  readonly life: string;
  readonly number: number;
  readonly token: number;
  readonly delivery: number;
  readonly how: "keep" | "acknowledge" | "retry" | "park" | "skip";
  readonly offset: Cursor | undefined;
}

/** What an answer that was heard gives of a partition. */
export interface Told {
  readonly life: string;
  readonly number: number;
  readonly generation: number;
  readonly token: number;
  readonly delivery: number;
  readonly entries: readonly { readonly offset: Cursor; readonly key: string }[];
  readonly isReplay: boolean;
  readonly isTrimmed: boolean;
}

export interface Call {
  readonly kind: "fetch" | "settle";
  readonly worker: string;
  readonly began: number;
  readonly said: readonly Said[];
  /** Infinity: it was never answered. */
  ended: number;
  /** Of a fetch that was heard. */
  told: readonly Told[];
  /** Partitions that it was told to have lost. */
  lost: readonly number[];
  /** Of an acknowledgement or a failure. */
  verdict: "done" | "over" | "lost" | undefined;
}

/** Something that an operator asked for; from when on, and until when it may have been decided. */
export interface Wish {
  readonly began: number;
  ended: number;
}

export class Ledger {
  readonly chains = new Map<string, Chain>();
  readonly calls: Call[] = [];
  readonly drops: Wish[] = [];
  readonly trims: { readonly began: number; readonly through: Cursor }[] = [];
  readonly entries = new Map<Cursor, Known>();
  /** When nothing failed any more. */
  calmAt = Infinity;
  readonly #name: ConsumerName;
  readonly #partition: string;
  readonly #marks = new Map<string, Mark>();
  readonly #chainOfRow = new Map<string, Chain>();
  #order = 0;
  /** As its row is. */
  consumer: Consumer | undefined;

  constructor(name: ConsumerName) {
    this.#name = name;
    this.#partition = consumerPartition(name);
  }

  next(): number {
    this.#order += 1;
    return this.#order;
  }

  /** Takes note of a write while it takes effect. */
  observe({ partition, changes, at }: EffectiveWrite): void {
    if (partition !== this.#partition) return;
    const order = this.next();
    for (const { row, after } of changes) if (row === consumerRowKey(this.#name)) this.#head(after);
    for (const { row, after } of changes) {
      if (this.#chainOfRow.has(row)) continue;
      if (after === undefined) this.#marks.delete(row);
      else if (row !== consumerRowKey(this.#name)) this.#marks.set(row, decodeMark(after));
    }
    for (const { row, after } of changes) {
      const chain = this.#chainOfRow.get(row);
      if (chain === undefined || after === undefined || this.consumer === undefined) continue;
      const { generation } = versionOf(after);
      const of = { life: chain.life, generation, partition: chain.number };
      const { from } = marksRange(this.#partition, of);
      const marks = [...this.#marks].filter(([key]) => key.startsWith(from)).map(([, mark]) => mark);
      const stored = decodePartition(after, this.consumer.spaces);
      chain.versions.push({ order, at, generation, partition: stored, marks });
    }
  }

  #head(after: Row | undefined): void {
    const row = after === undefined ? undefined : decodeConsumerRow(after, this.#name);
    this.consumer = row?.kind === "live" ? row.consumer : undefined;
    if (this.consumer === undefined) return;
    const { life, partitions } = this.consumer;
    for (let number = 0; number < partitions; number += 1) {
      const key = partitionRowKey(life, number);
      if (this.#chainOfRow.has(key)) continue;
      const chain: Chain = { life, number, versions: [] };
      this.#chainOfRow.set(key, chain);
      this.chains.set(`${life} ${number}`, chain);
    }
  }

  /** The partitions as they are now. */
  get present(): readonly Version[] {
    const chains = [...this.chains.values()].filter(({ life }) => life === this.consumer?.life);
    return chains.flatMap(({ versions }) => versions.slice(-1));
  }

  know(
    spaces: readonly SpaceName[],
    offset: Cursor,
    entry: Omit<Known, "offset" | "space"> & { space: SpaceName },
  ): void {
    this.entries.set(offset, { ...entry, offset, space: spaces.indexOf(entry.space) });
  }
}

/** The version that was stored at that moment; undefined: there was none. */
export function versionAt({ versions }: Chain, order: number): Version | undefined {
  let found: Version | undefined;
  for (const version of versions) {
    if (version.order > order) break;
    found = version;
  }
  return found;
}

/** What waits by the mark: behind its first entry, and passed by the position. */
export function waitsBy(mark: Mark, { space, segment, sequence, offset }: Known): boolean {
  if (mark.space !== space || mark.segment !== segment || offset <= mark.droppedTo) return false;
  return mark.alone ? mark.first === sequence : mark.first <= sequence;
}

export function isPassed({ partition }: Version, { space, offset }: Known): boolean {
  return offset <= (partition.position[space] ?? "");
}

export function isParked(version: Version, entry: Known): boolean {
  return isPassed(version, entry) && version.marks.some((mark) => waitsBy(mark, entry));
}

/** Never to be delivered again. */
export function isSettled(version: Version, entry: Known): boolean {
  return isPassed(version, entry) && !version.marks.some((mark) => waitsBy(mark, entry));
}

// Trims one segment: from the front, in transactions that each leave head, marker and blocks agreeing with each other.
//
// Each transaction moves the head's first sequence, removes as many blocks as fit, leaves the marker at the last place
// removed and, when it is the last one, rewrites the block that the point cuts. Every row goes under its own ETag. If
// the process dies between two of them, the segment is trimmed as far as its head says, and who trims it again goes on
// from there.

import type { Clock, Random } from "../../../core/clock.ts";
import { StoreError } from "../../../core/errors.ts";
import type { SegmentName, SpaceName } from "../../../core/ids.ts";
import { limits } from "../../../core/limits.ts";
import type { Telemetry } from "../../../core/telemetry.ts";
import type { Compressor } from "../../../codec/block.ts";
import { decodeBlock, encodeBlock, encodeMergedBlock, joinData } from "../../../codec/block.ts";
import type { EntryBatch } from "../../../codec/transaction.ts";
import type { Properties, Row, Table, Write } from "../../../table/port.ts";
import { numberIn } from "../../../table/row-values.ts";
import { backOff } from "../instance/back-off.ts";
import { isTransient } from "../instance/failure.ts";
import type { AzureStoreOptions } from "../instance/options.ts";
import { rows } from "../read/pages.ts";
import { blockRange, blockRow, segmentHeadRow, segmentPartition, segmentRowOf } from "../rows/keys.ts";
import { encodeSegmentMarker, isMarker } from "../rows/markers.ts";
import type { SegmentHead } from "../rows/segment-rows.ts";
import {
  blockProperties,
  decodeSegmentHead,
  encodeCutBlock,
  encodeCutTombstone,
  encodeSegmentHead,
  goneThrough,
  lastEntryOf,
  tombstoneOf,
} from "../rows/segment-rows.ts";

export interface TrimDeps {
  readonly table: Table;
  readonly compressor: Compressor;
  readonly clock: Clock;
  readonly random: Random;
  readonly telemetry: Telemetry;
  readonly options: Pick<AzureStoreOptions, "batchOperations" | "trimTransactionsMax">;
  readonly signal?: AbortSignal | undefined;
}

/** A segment's head as it is stored. */
export interface TrimmedSegment {
  readonly etag: string;
  readonly head: SegmentHead;
}

/** The other operations of a transaction: the head, the marker, the former marker, the block that is cut. */
const otherOperations = 4;
/** Races lost in a row, or outcomes not heard, before the caller is told to come back. */
export const triesMax = 12;

/**
 * Removes the entries before a sequence; beyond the end it means the end. `own`: a trim of the segment itself, else of
 * its space. After `trimTransactionsMax` transactions it leaves the rest to the next call: the head says how far it has
 * come. Undefined: there is no such segment.
 */
export async function trimSegment(
  deps: TrimDeps,
  space: SpaceName,
  segment: SegmentName,
  before: number,
  whose: "own" | "space",
): Promise<TrimmedSegment | undefined> {
  const trim = new SegmentTrim(deps, segmentPartition(space, segment));
  let failures = 0;
  let transactions = 0;
  for (;;) {
    deps.signal?.throwIfAborted();
    try {
      const step = await trim.step(before, whose);
      if (step === undefined) return undefined;
      if (step.kind !== "overtaken") transactions += 1;
      const isEnough = step.kind === "moved" && transactions >= deps.options.trimTransactionsMax;
      if (step.kind === "done" || isEnough) return { etag: step.etag, head: step.head };
      failures = step.kind === "moved" ? 0 : failures + 1;
    } catch (error) {
      if (!isTransient(error)) throw error;
      failures += 1;
      if (failures >= triesMax) throw error;
    }
    if (failures >= triesMax) throw crowded(`segment ${JSON.stringify(segment)}`);
    if (failures > 0) await backOff(deps, failures);
  }
}

/** Rows of data that a transaction has removed. */
export function measureTrim({ telemetry }: Pick<TrimDeps, "telemetry">, view: "segment" | "space", rows: number): void {
  telemetry.record("streamkit.trim.rows", rows, { "streamkit.trim.view": view });
}

/** The part that was trimmed so far stays trimmed, and a repeat goes on. */
export function crowded(what: string): StoreError {
  return new StoreError("overloaded", `Other writers change ${what} without a pause. Try again a little later.`, {
    effect: "unknown",
    retryAfterMs: 1_000,
  });
}

type Step =
  | { readonly kind: "done" | "moved"; readonly etag: string; readonly head: SegmentHead }
  /** Somebody else's write came between; nothing of this step was written. */
  | { readonly kind: "overtaken" };

class SegmentTrim {
  readonly #deps: TrimDeps;
  readonly #partition: string;

  constructor(deps: TrimDeps, partition: string) {
    this.#deps = deps;
    this.#partition = partition;
  }

  async step(before: number, whose: "own" | "space"): Promise<Step | undefined> {
    const { row } = await this.#deps.table.get(this.#partition, segmentHeadRow(this.#partition));
    if (row === undefined) return undefined;
    const head = decodeSegmentHead(row);
    const asked = Math.min(before, head.lastSequence + 1);
    const target = Math.max(head.firstSequence, asked);
    const own = whose === "own" ? Math.max(head.ownFirst, asked) : head.ownFirst;
    if (target === head.firstSequence && own === head.ownFirst) return { kind: "done", etag: row.etag, head };
    const front = await this.#front(target);
    const first = front.isAll ? target : Math.max(head.firstSequence, front.lastSequence + 1);
    const rest = await this.#begins(first);
    const next: SegmentHead = {
      ...head,
      firstSequence: first,
      ownFirst: Math.min(first, own),
      firstTimestamp: rest?.timestamp ?? head.lastTimestamp,
      format: 2,
    };
    const etag = await this.#write(row, next, front.rows, rest?.cut);
    if (etag === undefined) return { kind: "overtaken" };
    return { kind: front.isAll ? "done" : "moved", etag, head: next };
  }

  /** The blocks that end before the point, and the former marker, as many as one transaction takes. */
  async #front(target: number): Promise<Front> {
    // One block at least: a transaction that removed none would get no further.
    const room = Math.max(1, this.#deps.options.batchOperations - otherOperations);
    const found: Row[] = [];
    let former: Row | undefined;
    const range = blockRange(this.#partition, 1, target - 1);
    const options = { select: ["v", "k"], likely: room + 2, firstRows: room + 2, signal: this.#deps.signal };
    // A range that ends before it begins has no rows.
    if (target > 1) {
      for await (const row of rows(this.#deps.table, range, options)) {
        if (isMarker(row)) former = row;
        else found.push(row);
        if (found.length > room) break;
      }
    }
    const taken = found.slice(0, room);
    const lastSequence = sequenceOf(taken.at(-1));
    if (former !== undefined) taken.push(former);
    return { isAll: found.length <= room, rows: taken, lastSequence };
  }

  /**
   * Finds the first timestamp of the segment from this sequence on, and rewrites the block that holds the sequence, if
   * it begins before.
   */
  async #begins(first: number): Promise<{ readonly timestamp: number; readonly cut: Cut | undefined } | undefined> {
    const range = blockRange(this.#partition, first, limits.sequenceMax);
    const options = { select: blockProperties, likely: 1, firstRows: 1, signal: this.#deps.signal };
    for await (const row of rows(this.#deps.table, range, options)) {
      // Checks the format, too.
      if (goneThrough(row) >= first) return undefined;
      const isCut = numberIn(row, "f", 1) < first;
      const lost = tombstoneOf(row);
      if (lost !== undefined) {
        return { timestamp: lost, cut: isCut ? { row, properties: encodeCutTombstone(first, lost) } : undefined };
      }
      const batches = await decodeBlock(joinData(row.properties), this.#deps.compressor);
      const kept = entriesFrom(batches, first);
      const timestamp = kept[0]?.timestamp ?? 0;
      return { timestamp, cut: isCut ? { row, properties: await this.#rewritten(kept, first) } : undefined };
    }
    return undefined;
  }

  async #rewritten(batches: readonly EntryBatch[], first: number): Promise<Properties> {
    const { compressor } = this.#deps;
    const merged = await encodeMergedBlock(batches, compressor);
    return encodeCutBlock(first, merged ?? (await encodeBlock(batches, compressor)));
  }

  /** The head's new ETag; undefined when a row is not as it was read. */
  async #write(
    row: Row,
    head: SegmentHead,
    removed: readonly Row[],
    cut: Cut | undefined,
  ): Promise<string | undefined> {
    const lastEntry = head.firstSequence > head.lastSequence ? undefined : lastEntryOf(row);
    const markerRow = blockRow(head.firstSequence - 1);
    const atMarker = removed.find((one) => one.row === markerRow);
    const properties = encodeSegmentMarker();
    const writes: Write[] = [
      { kind: "replace", row: row.row, properties: encodeSegmentHead(head, lastEntry), ifMatch: row.etag },
      atMarker === undefined
        ? { kind: "insert", row: markerRow, properties }
        : { kind: "replace", row: markerRow, properties, ifMatch: atMarker.etag },
    ];
    if (cut !== undefined) {
      writes.push({ kind: "replace", row: cut.row.row, properties: cut.properties, ifMatch: cut.row.etag });
    }
    for (const one of removed) if (one !== atMarker) writes.push({ kind: "delete", row: one.row, ifMatch: one.etag });
    const result = await this.#deps.table.submit(this.#partition, writes);
    if (result.kind !== "done") return undefined;
    measureTrim(this.#deps, "segment", removed.filter((one) => !isMarker(one)).length);
    return result.etags[0];
  }
}

interface Front {
  /** Nothing else lies before the point. */
  readonly isAll: boolean;
  readonly rows: readonly Row[];
  /** The last sequence of the last block; 0 without any. */
  readonly lastSequence: number;
}

/** A block that the point cuts, and what it becomes. */
interface Cut {
  readonly row: Row;
  readonly properties: Properties;
}

function sequenceOf(row: Row | undefined): number {
  const what = row === undefined ? undefined : segmentRowOf(row.row);
  return what?.kind === "block" ? what.lastSequence : 0;
}

/** The same transactions without the entries before a sequence. */
export function entriesFrom(batches: readonly EntryBatch[], first: number): readonly EntryBatch[] {
  return batches.flatMap((batch) => {
    if (batch.lastSequence < first) return [];
    if (batch.firstSequence >= first) return [batch];
    const entries = batch.entries.slice(first - batch.firstSequence);
    return [{ ...batch, firstSequence: first, entries }];
  });
}

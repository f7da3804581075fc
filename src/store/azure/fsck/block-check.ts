// Checks a segment's blocks: each against the log, and all of them for gaps and overlaps.

import { isUnreadable } from "../../../core/errors.ts";
import type { SegmentName } from "../../../core/ids.ts";
import type { ProducerState, StreamState } from "../../../core/stream.ts";
import { changedStream } from "../../../core/stream.ts";
import type { Compressor } from "../../../codec/block.ts";
import { decodeBlock, joinData } from "../../../codec/block.ts";
import type { EntryBatch } from "../../../codec/transaction.ts";
import { contentOf, redactedDigest } from "../../../codec/transaction.ts";
import type { Row } from "../../../table/port.ts";
import { numberIn } from "../../../table/row-values.ts";
import { producerRow } from "../rows/keys.ts";
import { goneThrough, movedProducer, tombstoneOf } from "../rows/segment-rows.ts";
import type { FindingKind } from "./finding.ts";
import { rangeText, unreadKind } from "./finding.ts";
import type { LoggedTransaction } from "./log-walk.ts";
import { hasEntries } from "../rows/log-rows.ts";
import { isBatchOf } from "./log-walk.ts";

/** One segment's transactions as the log has them, up to some moment. */
export class SegmentLog {
  readonly segment: SegmentName;
  readonly transactions: readonly LoggedTransaction[];
  readonly lastSequence: number;
  /** The last sequence that must have been applied, whatever else is under way; and the last transaction. */
  readonly settledLast: number;
  readonly settledNumber: number;
  /** The last transaction that somebody has seen applied. */
  readonly confirmedNumber: number;
  readonly #byFirst: ReadonlyMap<number, LoggedTransaction>;

  constructor(segment: SegmentName, transactions: readonly LoggedTransaction[]) {
    this.segment = segment;
    this.transactions = transactions;
    this.lastSequence = transactions.at(-1)?.lastSequence ?? 0;
    const settled = transactions.findLast(({ pending }) => !pending);
    this.settledLast = settled?.lastSequence ?? 0;
    this.settledNumber = settled?.number ?? 0;
    this.confirmedNumber = transactions.findLast(({ confirmed }) => confirmed)?.number ?? 0;
    this.#byFirst = new Map(transactions.filter(hasEntries).map((one) => [one.firstSequence, one]));
  }

  /** The first sequence of the segment, as its log tells it. */
  get begins(): number {
    const [first] = this.transactions;
    return first?.change?.kind === "restore" && first.change.after === 0 ? first.firstSequence : 1;
  }

  at(firstSequence: number): LoggedTransaction | undefined {
    return this.#byFirst.get(firstSequence);
  }

  numbered(number: number): LoggedTransaction | undefined {
    return this.transactions.find((transaction) => transaction.number === number);
  }

  /** The last entries up to a transaction. */
  lastWithEntries(number: number): LoggedTransaction | undefined {
    return this.transactions.findLast((transaction) => transaction.number <= number && hasEntries(transaction));
  }

  /**
   * The stream that the changes up to a transaction make; undefined also where the log does not tell from the
   * beginning.
   */
  streamAt(number: number): { readonly stream: StreamState | undefined } | undefined {
    if (this.transactions[0]?.number !== 1) return undefined;
    let stream: StreamState | undefined;
    for (const { change, firstSequence, number: own, timestamp } of this.transactions) {
      if (own > number) break;
      stream = changedStream(stream, change, { timestamp, firstSequence });
    }
    return { stream };
  }

  /** How far the changes up to a transaction bring the stream's producers, by their rows. */
  producersAt(number: number): ReadonlyMap<string, ProducerState> {
    const producers = new Map<string, ProducerState>();
    for (const transaction of this.transactions) {
      if (transaction.number > number) break;
      const moved = movedProducer(transaction);
      if (moved !== undefined) producers.set(producerRow(moved.id), moved.state);
    }
    return producers;
  }

  holderOf(sequence: number): LoggedTransaction | undefined {
    return this.transactions.find(
      ({ firstSequence, lastSequence }) => firstSequence <= sequence && sequence <= lastSequence,
    );
  }
}

export interface BlockPicture {
  readonly row: string;
  readonly etag: string;
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** Exactly the log's transactions, as far as they are known, and none that another block has. */
  readonly good: boolean;
}

export interface SeenBlock {
  readonly row: string;
  readonly etag: string;
  /** Undefined: it does not tell. */
  readonly firstSequence: number | undefined;
  readonly lastSequence: number;
  /** The fault of the block in itself. */
  readonly fault: Fault | undefined;
  /** Its last transaction, when it can be read. */
  readonly lastBatch: EntryBatch | undefined;
}

type Range = Pick<BlockPicture, "firstSequence" | "lastSequence">;

interface Fault {
  readonly kind: "block_unreadable" | "block_differs" | "tombstone_needless" | "row_newer";
  readonly why: string;
}

export async function readBlock(
  row: Row,
  lastSequence: number,
  log: SegmentLog,
  compressor: Compressor,
): Promise<SeenBlock> {
  const { row: key, etag } = row;
  const seen = { row: key, etag, lastSequence, lastBatch: undefined };
  let firstSequence: number | undefined;
  try {
    const isCut = goneThrough(row) > 0;
    firstSequence = numberIn(row, "f", 1, lastSequence);
    const range = { firstSequence, lastSequence };
    const lost = tombstoneOf(row);
    if (lost !== undefined) {
      return { ...seen, firstSequence, fault: isCut ? undefined : faultOfTombstone(range, lost, log) };
    }
    const batches = await decodeBlock(joinData(row.properties), compressor);
    return { ...seen, firstSequence, fault: faultOfBlock(range, batches, log, isCut), lastBatch: batches.at(-1) };
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return { ...seen, firstSequence, fault: { kind: unreadKind("block_unreadable", error), why: error.message } };
  }
}

/**
 * By last sequence. `first`: where the blocks must begin; `reach`: the last sequence that a block may have; `end`: up
 * to where there must be blocks.
 */
export function judgeBlocks(
  blocks: readonly SeenBlock[],
  first: number,
  reach: number,
  end: number,
  add: (kind: FindingKind, message: string) => void,
): BlockPicture[] {
  const missing = (first: number, last: number): void =>
    add("block_missing", first === last ? `entry ${first} is missing` : `entries ${first} to ${last} are missing`);
  let next = first;
  const judged = blocks.map(({ row, etag, firstSequence: told, lastSequence, fault }): BlockPicture => {
    const firstSequence = told ?? Math.min(next, lastSequence);
    const range = rangeText(firstSequence, lastSequence);
    const overlaps = firstSequence < next;
    const isBeyond = lastSequence > reach;
    if (isBeyond) add("block_extra", `the block ${range} is beyond the segment's head (${reach})`);
    else if (overlaps)
      add("block_extra", `the block ${range} has entries that the block before it has, too, or that were trimmed`);
    else {
      if (firstSequence > next) missing(next, firstSequence - 1);
      if (fault !== undefined) add(fault.kind, `the block ${range}: ${fault.why}`);
      next = lastSequence + 1;
    }
    return { row, etag, firstSequence, lastSequence, good: fault === undefined && !overlaps && !isBeyond };
  });
  if (next <= end) missing(next, end);
  return judged;
}

/** `isCut`: a trim has taken its beginning. */
function faultOfBlock(seen: Range, batches: readonly EntryBatch[], log: SegmentLog, isCut: boolean): Fault | undefined {
  const differs = (why: string): Fault => ({ kind: "block_differs", why });
  let next = seen.firstSequence;
  for (const batch of batches) {
    const { firstSequence, lastSequence, trx } = batch;
    if (firstSequence !== next) return differs(`it goes from ${next - 1} to ${firstSequence}`);
    next = lastSequence + 1;
    if (firstSequence > log.lastSequence) continue;
    if (isCut && batch === batches[0] && isRestOf(log.holderOf(firstSequence), log.segment, batch)) continue;
    const logged = log.at(firstSequence);
    if (logged === undefined || !isLogged(batch, logged, log.segment)) {
      return differs(`its entries ${rangeText(firstSequence, lastSequence)} (transaction ${trx.id}) are not the log's`);
    }
  }
  return next === seen.lastSequence + 1 ? undefined : differs(`it ends at ${next - 1}`);
}

/** Whether all that the log has redacted of it is redacted in the block, too. */
function hasAllRedacted({ entries, firstSequence }: EntryBatch, { redacted }: LoggedTransaction): boolean {
  return redacted.every((sequence) => sequence < firstSequence || entries[sequence - firstSequence]?.redacted === true);
}

/**
 * Whether its entries are the log's. The log is redacted first: where the block has lost more, the log has lost it
 * since it was read.
 */
function isLogged(batch: EntryBatch, logged: LoggedTransaction, segment: SegmentName): boolean {
  const { content, redacted } = contentOf(batch);
  if (redacted.length === 0) return isBatchOf(logged, segment, batch);
  const isSame = redacted.length > logged.redacted.length || logged.content === undefined || content === logged.content;
  return isSame && hasAllRedacted(batch, logged) && isBatchOf({ ...logged, digest: redactedDigest }, segment, batch);
}

/** The end of a transaction, whose digest says nothing of it any more. */
function isRestOf(logged: LoggedTransaction | undefined, segment: SegmentName, batch: EntryBatch): boolean {
  return (
    batch.segment === segment &&
    logged !== undefined &&
    hasAllRedacted(batch, logged) &&
    batch.lastSequence === logged.lastSequence &&
    batch.timestamp === logged.timestamp &&
    batch.trx.id === logged.id &&
    batch.trx.number === logged.number &&
    batch.entries.length === batch.lastSequence - batch.firstSequence + 1
  );
}

function faultOfTombstone(seen: Range, lost: number, log: SegmentLog): Fault | undefined {
  if (seen.firstSequence > log.lastSequence) return undefined;
  const logged = log.at(seen.firstSequence);
  if (logged?.lastSequence !== seen.lastSequence || logged.timestamp !== lost) {
    return {
      kind: "block_differs",
      why: `it gives up the entries of the record at ${lost}, and the log has others there`,
    };
  }
  if (!logged.readable) return undefined;
  return { kind: "tombstone_needless", why: `it gives up the entries of the record at ${lost}, which has them` };
}

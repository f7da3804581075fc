// Checks one segment's rows against its log: head, blocks, and what transaction ids were used for.
//
// Promise: the head is read before the other rows, so the entries that it covers must be among them, whatever is
// applied meanwhile. Entries that the log picture does not know yet are not judged here; `reach` tells how far the rows
// go, so that the caller can read the log again.

import { isDeepStrictEqual } from "node:util";

import type { Entry } from "../../../core/entry.ts";
import { isUnreadable } from "../../../core/errors.ts";
import type { SpaceName, TransactionId } from "../../../core/ids.ts";
import type { ProducerState } from "../../../core/stream.ts";
import { encodeEntry } from "../../../codec/entry.ts";
import { redactedDigest } from "../../../codec/transaction.ts";
import type { Row } from "../../../table/port.ts";
import { segmentHeadRow, segmentPartition, segmentRowOf } from "../rows/keys.ts";
import { rows } from "../read/pages.ts";
import type { Source } from "../read/read.ts";
import { isMarker } from "../rows/markers.ts";
import { isMerged } from "../rows/merged-rows.ts";
import { decodeProducer } from "../rows/stream-rows.ts";
import type { SegmentHead, TransactionPlace } from "../rows/segment-rows.ts";
import { decodeSegmentHead, decodeTransactionRow, emptySegment, lastEntryOf } from "../rows/segment-rows.ts";
import type { BlockPicture, SeenBlock, SegmentLog } from "./block-check.ts";
import { judgeBlocks, readBlock } from "./block-check.ts";
import type { FindingKind } from "./finding.ts";
import { Findings, unreadKind } from "./finding.ts";
import type { LoggedTransaction } from "./log-walk.ts";

export interface SegmentPicture {
  readonly log: SegmentLog;
  readonly partition: string;
  readonly headRow: Row | undefined;
  /** Undefined: missing where there should be one, or not what the log says: writers may act on what is wrong. */
  readonly head: SegmentHead | undefined;
  /** By last sequence. */
  readonly blocks: readonly BlockPicture[];
  /** Transactions whose id's row is missing or says something else. */
  readonly unkeptIds: readonly LoggedTransaction[];
  /** Producers whose row is missing or says something else: the row, and what it is to say. */
  readonly unkeptProducers: ReadonlyMap<string, ProducerState>;
  /** Rows of ids that the log does not have here. */
  readonly extraIds: readonly Row[];
  /** The last sequence that any of its rows speaks of. */
  readonly reach: number;
  /** The first sequence that was not trimmed, as the head says, or the marker where that cannot be trusted. */
  readonly firstSequence: number;
  /** All that its log had of it was trimmed: the log says nothing of it any more. */
  readonly isTrimmedAway: boolean;
  readonly findings: Findings;
}

/** `through`: the timestamp up to which `log` is all there is, but for what is at or before `trimmedThrough`. */
export async function checkSegment(
  source: Source,
  space: SpaceName,
  log: SegmentLog,
  through: number,
  trimmedThrough = 0,
): Promise<SegmentPicture> {
  const partition = segmentPartition(space, log.segment);
  const headKey = segmentHeadRow(partition);
  const check = new SegmentCheck(log, { through, trimmedThrough }, new Findings(space));
  const { row: headRow } = await source.table.get(partition, headKey);
  check.takeHead(headRow);
  for await (const row of rows(source.table, { partition, from: "0", to: "g" }, {})) {
    if (row.row === headKey) continue;
    const key = segmentRowOf(row.row);
    if (key === undefined) check.add("row_unknown", `row ${row.row} is none of a segment`);
    else if (key.kind === "transaction") check.takeId(row, key.id);
    else if (key.kind === "producer") check.takeProducer(row);
    else if (isMarker(row)) check.takeMarker(key.lastSequence);
    else {
      const block = await readBlock(row, key.lastSequence, log, source.compressor);
      // Blocks that were read before may have been merged into this one since.
      if (isMerged(row)) for (const one of check.coveredBy(block)) await dropUnlessThere(source, partition, check, one);
      check.takeBlock(block);
    }
  }
  const { row: later } = check.isAhead ? await source.table.get(partition, headKey) : { row: headRow };
  return { log, partition, headRow, ...check.end(later) };
}

async function dropUnlessThere(
  { table }: Source,
  partition: string,
  check: SegmentCheck,
  block: SeenBlock,
): Promise<void> {
  const { row } = await table.get(partition, block.row, { select: ["v"] });
  if (row === undefined) check.drop(block);
}

class SegmentCheck {
  readonly #log: SegmentLog;
  readonly #through: number;
  readonly #trimmedThrough: number;
  readonly #findings: Findings;
  readonly #byId: ReadonlyMap<TransactionId, LoggedTransaction>;
  #blocks: SeenBlock[] = [];
  readonly #keptIds = new Set<TransactionId>();
  readonly #wrongIds = new Set<TransactionId>();
  readonly #extraIds: Row[] = [];
  #head: SegmentHead | undefined = emptySegment;
  #headEntry: Uint8Array | undefined;
  readonly #producers = new Map<string, ProducerState>();
  readonly #newerProducers = new Set<string>();
  #reach = 0;
  /** The last place that the marker says is gone. */
  #goneThrough = 0;

  constructor(
    log: SegmentLog,
    { through, trimmedThrough }: { readonly through: number; readonly trimmedThrough: number },
    findings: Findings,
  ) {
    this.#log = log;
    this.#through = through;
    this.#trimmedThrough = trimmedThrough;
    this.#findings = findings;
    this.#byId = new Map(log.transactions.map((transaction) => [transaction.id, transaction]));
  }

  /** A block was read that the head did not cover when it was read. */
  get isAhead(): boolean {
    return (this.#blocks.at(-1)?.lastSequence ?? 0) > this.#lastSequence;
  }

  takeHead(row: Row | undefined): void {
    if (row === undefined) {
      if (this.#log.confirmedNumber > 0) this.#distrust("segment_head_missing", "the segment has no head");
      else this.#checkHead(emptySegment);
      return;
    }
    try {
      this.#head = decodeSegmentHead(row);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      this.#distrust(unreadKind("segment_head_differs", error), `the segment's head cannot be read: ${error.message}`);
      return;
    }
    this.#reach = this.#head.lastSequence;
    this.#headEntry = this.#entryOf(row);
    this.#checkHead(this.#head);
  }

  takeId(row: Row, id: TransactionId): void {
    const known = this.#byId.get(id);
    const wrong = (kind: "id_extra" | "id_differs" | "row_newer", message: string): void => {
      this.#wrongIds.add(id);
      if (known === undefined) this.#extraIds.push(row);
      this.add(kind, message);
    };
    try {
      const place = decodeTransactionRow(row, id);
      // The ids of trimmed records stay.
      if (known === undefined && place.timestamp <= this.#trimmedThrough) return;
      if (known !== undefined && isSamePlace(place, known)) this.#keptIds.add(id);
      else if (place.timestamp > this.#through) this.#reach = Math.max(this.#reach, place.lastSequence);
      else if (known === undefined)
        wrong("id_extra", `transaction id ${id} is kept as used, and the log does not have it`);
      else wrong("id_differs", `transaction id ${id} is kept as used for something else than the log has`);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      wrong(unreadKind("id_differs", error), `the row of transaction id ${id} cannot be read: ${error.message}`);
    }
  }

  takeProducer(row: Row): void {
    try {
      const state = decodeProducer(row);
      this.#producers.set(row.row, state);
      if (state.timestamp > this.#through) this.#newerProducers.add(row.row);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      this.add(
        unreadKind("producer_differs", error),
        `the row ${row.row} of a producer cannot be read: ${error.message}`,
      );
    }
  }

  takeMarker(goneThrough: number): void {
    this.#goneThrough = Math.max(this.#goneThrough, goneThrough);
  }

  coveredBy({ firstSequence = Infinity }: SeenBlock): readonly SeenBlock[] {
    return this.#blocks.filter(({ lastSequence }) => lastSequence >= firstSequence);
  }

  drop(block: SeenBlock): void {
    this.#blocks = this.#blocks.filter((one) => one !== block);
  }

  takeBlock(block: SeenBlock): void {
    this.#blocks.push(block);
    this.#reach = Math.max(this.#reach, block.lastSequence);
    const last = block.fault === undefined ? block.lastBatch?.entries.at(-1) : undefined;
    if (last !== undefined && last.sequence === this.#head?.lastSequence) this.#compareLast(last);
  }

  /** `later`: the head as read after the blocks, if one of them was beyond it. */
  end(later: Row | undefined): Omit<SegmentPicture, "log" | "partition" | "headRow"> {
    if (later === undefined && this.#head !== undefined && this.#blocks.length > 0) {
      this.#distrust("segment_head_missing", "the segment has blocks and no head");
    }
    const reach = later === undefined || this.#head === undefined ? Infinity : this.#lastSequenceIn(later);
    const end = Math.min(this.#lastSequence, this.#log.lastSequence);
    const firstSequence = this.#head?.firstSequence ?? Math.max(this.#log.begins, this.#goneThrough + 1);
    const isTrimmedAway =
      this.#log.transactions.length === 0 &&
      this.#head !== undefined &&
      this.#head.transactionNumber > 0 &&
      Math.max(this.#head.changedAt, this.#head.lastTimestamp) <= this.#trimmedThrough;
    const blocks = judgeBlocks(this.#blocks, firstSequence, reach, end, (kind, message) => this.add(kind, message));
    const unkeptIds = this.#log.transactions.filter(
      // A merged row does not tell whose the id was; a row that is there does.
      ({ id, keyed, lastSequence }) =>
        (keyed === true || this.#wrongIds.has(id)) && lastSequence <= this.#lastSequence && !this.#keptIds.has(id),
    );
    for (const { id } of unkeptIds) {
      if (!this.#wrongIds.has(id)) this.add("id_missing", `what transaction id ${id} was used for is not kept`);
    }
    return {
      head: this.#head,
      blocks,
      unkeptIds,
      unkeptProducers: this.#unkeptProducers(),
      extraIds: this.#extraIds,
      reach: this.#reach,
      firstSequence,
      isTrimmedAway,
      findings: this.#findings,
    };
  }

  #unkeptProducers(): ReadonlyMap<string, ProducerState> {
    const unkept = new Map<string, ProducerState>();
    const through = this.#head?.transactionNumber ?? this.#log.settledNumber;
    for (const [row, wanted] of this.#log.producersAt(through)) {
      const kept = this.#producers.get(row);
      if (kept !== undefined && (isSameProducer(kept, wanted) || this.#newerProducers.has(row))) continue;
      // The head was read before it: a later record that is being applied may have moved it.
      if (kept !== undefined && kept.timestamp > wanted.timestamp) continue;
      unkept.set(row, wanted);
      this.add("producer_differs", `what is kept of a producer (row ${row}) is not how far the log says that it came`);
    }
    return unkept;
  }

  #lastSequenceIn(later: Row): number {
    try {
      return decodeSegmentHead(later).lastSequence;
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      this.#distrust(unreadKind("segment_head_differs", error), `the segment's head cannot be read: ${error.message}`);
      return Infinity;
    }
  }

  add(kind: FindingKind, message: string): void {
    this.#findings.add(kind, message, this.#log.segment);
  }

  /** Taken from the head; from the log where the head cannot be trusted. */
  get #lastSequence(): number {
    return this.#head?.lastSequence ?? this.#log.settledLast;
  }

  #checkHead(head: SegmentHead): void {
    const { lastSequence, transactionNumber } = head;
    const { settledLast, settledNumber, transactions } = this.#log;
    if (lastSequence < settledLast || transactionNumber < settledNumber) {
      this.add(
        "segment_behind",
        `the segment ends at sequence ${lastSequence}, and its log counts entries up to ${settledLast} as applied`,
      );
    }
    if (transactionNumber === 0 || transactionNumber > (transactions.at(-1)?.number ?? 0)) return;
    const last = this.#log.numbered(transactionNumber);
    const streamed = this.#log.streamAt(transactionNumber);
    const isSame =
      head.transactionId === last?.id &&
      lastSequence === last.lastSequence &&
      Math.max(head.changedAt, head.lastTimestamp) === last.timestamp &&
      head.lastTimestamp === (this.#log.lastWithEntries(transactionNumber)?.timestamp ?? head.lastTimestamp) &&
      (streamed === undefined || isDeepStrictEqual(streamed.stream, head.stream)) &&
      (head.firstTimestamp === this.#firstTimestamp(head) || this.#firstTimestamp(head) === undefined);
    if (isSame) return;
    const logged = last === undefined ? "no such transaction" : `transaction ${last.number}, ${last.id}`;
    this.#distrust(
      "segment_head_differs",
      `the segment's head ends at sequence ${lastSequence} with transaction ${head.transactionNumber}, ${head.transactionId}; the log has ${logged}, or other timestamps, or another stream`,
    );
  }

  /** The timestamp of the first entry that is there; undefined: the log does not tell any more. */
  #firstTimestamp({ firstSequence, lastSequence, lastTimestamp }: SegmentHead): number | undefined {
    if (firstSequence > lastSequence) return lastTimestamp;
    const first = this.#log.holderOf(firstSequence);
    return first === undefined && this.#trimmedThrough === 0 ? 0 : first?.timestamp;
  }

  #compareLast(entry: Entry): void {
    if (this.#headEntry === undefined || Buffer.compare(this.#headEntry, encodeEntry(entry)) === 0) return;
    this.add("last_entry_differs", `the last entry that the head gives is not entry ${entry.sequence} of its block`);
  }

  #entryOf(row: Row): Uint8Array | undefined {
    try {
      const entry = lastEntryOf(row);
      return entry === undefined ? undefined : encodeEntry(entry);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      this.add("last_entry_differs", `the last entry in the segment's head cannot be read: ${error.message}`);
      return undefined;
    }
  }

  #distrust(kind: "segment_head_missing" | "segment_head_differs" | "row_newer", message: string): void {
    this.#head = undefined;
    this.add(kind, message);
  }
}

function isSameProducer(a: ProducerState, b: ProducerState): boolean {
  return a.epoch === b.epoch && a.sequence === b.sequence && a.life === b.life && a.timestamp === b.timestamp;
}

function isSamePlace(place: TransactionPlace, known: TransactionPlace): boolean {
  return (
    place.number === known.number &&
    place.firstSequence === known.firstSequence &&
    place.lastSequence === known.lastSequence &&
    place.timestamp === known.timestamp &&
    // The log is redacted first: it has lost the digest since it was read.
    (place.digest === known.digest || place.digest === redactedDigest) &&
    place.segments === known.segments
  );
}

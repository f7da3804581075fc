// Goes through a log's records in order, checks each against those before it, and remembers what they say.

import type { StoreError } from "../../../core/errors.ts";
import { isUnreadable } from "../../../core/errors.ts";
import type { NodeId, SegmentName, SpaceName } from "../../../core/ids.ts";
import { decodeBlock, joinData } from "../../../codec/block.ts";
import { contentOf, storedDigest, type EntryBatch, type StoredContent } from "../../../codec/transaction.ts";
import { compareUtf8 } from "../../../codec/lexkey.ts";
import type { Row } from "../../../table/port.ts";
import type { Counts } from "../rows/format.ts";
import type { LogHead, RecordSummary, TransactionSummary } from "../rows/log-rows.ts";
import { decodeRecordSummary, emptyLog, hasEntries, numberBefore } from "../rows/log-rows.ts";
import type { LogMarker } from "../rows/markers.ts";
import { isPending, listedMax, nothingPending } from "../rows/pending.ts";
import { timestampOfRow } from "../rows/keys.ts";
import type { MergedRecord, MergedRecords } from "../rows/merged-rows.ts";
import { decodeMergedRecords, recordsOf } from "../rows/merged-rows.ts";
import type { Source } from "../read/read.ts";
import type { TransactionPlace } from "../rows/segment-rows.ts";
import { placeOf } from "../rows/segment-rows.ts";
import type { Findings } from "./finding.ts";
import { rangeText } from "./finding.ts";

/** A transaction as the log has it. */
export interface LoggedTransaction extends TransactionPlace, StoredContent {
  readonly node: NodeId;
  /** Where its entries are among those of its record; undefined: it has none. */
  readonly index: number | undefined;
  /** Whether its id was its caller's; undefined: its row is merged, which does not tell. */
  readonly keyed: boolean | undefined;
  /** Listed as not applied yet, and may be: its segment may or may not have it. */
  readonly pending: boolean;
  /** Not listed as pending: somebody has seen it applied. */
  readonly confirmed: boolean;
  /** Its entries can be read from the log. */
  readonly readable: boolean;
}

export interface LoggedSegment {
  /** By sequence. */
  readonly transactions: LoggedTransaction[];
  /** False when the log itself has a gap or a fork here: then it is no measure for the segment. */
  whole: boolean;
}

/** A transaction as a summary describes it, or as a merged row tells it. */
type LoggedSummary = Omit<TransactionSummary, "keyed"> & Pick<LoggedTransaction, "keyed">;
type RecordOf = Pick<RecordSummary, "node" | "timestamp">;
type PendingLists = Pick<LogHead, "unapplied" | "unnotified">;
type MayWait = (writtenAt: number) => boolean;

export class LogWalk {
  readonly segments = new Map<SegmentName, LoggedSegment>();
  records = 0;
  entries = 0;
  /** The timestamp that a trim has removed from the log up to; 0: nothing. */
  trimmedThrough = 0;
  /** The first record is not pending. */
  begun = false;
  unapplied = 0;
  unnotified = 0;
  /** Records that are pending and may be. */
  waiting = 0;
  /** When the oldest of them were written; 0: there is none. */
  oldestUnappliedAt = 0;
  oldestUnnotifiedAt = 0;
  readonly #source: Source;
  readonly #space: SpaceName;
  readonly #pending: PendingLists;
  /** Whether a record that was written then may still be pending. */
  readonly #mayWait: MayWait;
  readonly #findings: Findings;
  #whole = true;
  #position = 0;
  /** The last records' timestamps. */
  #latest: number[] = [];
  #timestamp = 0;
  /** Empty: it is not kept. */
  #recordId = "";
  /** The counts in the last record; undefined: they are unknown, or cannot be read. */
  #counts: Counts | undefined;
  /** How many of those that the head lists are records. */
  readonly #listed = { unapplied: 0, unnotified: 0 };

  constructor(source: Source, space: SpaceName, pending: PendingLists, mayWait: MayWait, findings: Findings) {
    this.#source = source;
    this.#space = space;
    this.#pending = pending;
    this.#mayWait = mayWait;
    this.#findings = findings;
  }

  /** In the place of everything up to here: the records go on behind it. */
  takeMarker({ counts, position, recordId, timestamp }: LogMarker): void {
    if (this.records > 0) {
      this.#whole = false;
      const message = `the log was trimmed up to ${timestamp}, and has ${this.records} records before it`;
      this.#findings.add("record_differs", message);
    }
    this.trimmedThrough = timestamp;
    this.#timestamp = timestamp;
    this.#position = position;
    this.#recordId = recordId ?? "";
    this.#counts = counts;
    this.begun = true;
  }

  async take(row: Row, timestamp: number): Promise<void> {
    this.records += 1;
    this.#timestamp = timestamp;
    this.#latest.push(timestamp);
    if (this.#latest.length > 2 * listedMax) this.#latest = this.#latest.slice(-listedMax);
    const mayWait = this.#notePending(timestamp, row.writtenAt);
    let summary: RecordSummary;
    try {
      summary = decodeRecordSummary(row);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      this.#whole = false;
      this.#position += 1;
      this.#counts = undefined;
      this.#findings.addUnread("record_unreadable", `the record at ${timestamp}`, error);
      return;
    }
    this.#counts = summary.counts;
    this.#followPosition(summary);
    const batches = await this.#batches(row, summary);
    this.#checkTogether(summary);
    let next = 0;
    for (const transaction of summary.transactions) {
      const index = hasEntries(transaction) ? next++ : undefined;
      const batch = index === undefined ? undefined : batches?.[index];
      const readable = index === undefined || (batches !== undefined && this.#agrees(summary, transaction, batch));
      this.#follow(summary, transaction, { index, readable, ...contentOf(batch) }, mayWait);
    }
  }

  /**
   * Many records in one row, all of which are settled. Left out are those that were taken already, from rows that have
   * been merged since, and those after `through`.
   */
  async takeMerged(row: Row, through: number): Promise<void> {
    if (this.records === 0) this.begun = true;
    let merged: MergedRecords;
    let records: ReturnType<typeof recordsOf>;
    try {
      merged = decodeMergedRecords(row);
      records = recordsOf(merged, await decodeBlock(joinData(row.properties), this.#source.compressor));
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      this.#takeUnreadMerged(row, error);
      return;
    }
    const [first] = records;
    const isSame =
      first?.place.timestamp === merged.firstTimestamp && records.at(-1)?.place.timestamp === merged.timestamp;
    if (!isSame) {
      const message = `the merged row at ${merged.timestamp} has other records than it says`;
      this.#findings.add("record_differs", message);
    }
    for (const record of records) {
      if (record.place.timestamp > this.#timestamp && record.place.timestamp <= through) this.#takeOfMerged(record);
    }
  }

  /** It has no summaries: what is lost with its entries, nothing tells. */
  #takeUnreadMerged(row: Row, error: StoreError): void {
    const timestamp = timestampOfRow(row.row);
    const position = row.properties["n"];
    this.records += 1;
    this.#whole = false;
    this.#timestamp = timestamp;
    this.#position = typeof position === "bigint" ? Number(position) : this.#position + 1;
    this.#counts = undefined;
    this.#findings.addUnread("record_unreadable", `the merged row of records up to ${timestamp}`, error);
  }

  #takeOfMerged({ batches, counts, place: { timestamp }, position, recordId }: MergedRecord): void {
    this.records += 1;
    this.#timestamp = timestamp;
    this.#counts = counts;
    this.#followPosition({ position, timestamp, recordId: recordId ?? "" });
    const transactions = batches.map((batch) => transactionOf(batch, batches));
    this.#checkTogether({ timestamp, transactions });
    for (const [index, batch] of batches.entries()) {
      const transaction = transactions[index];
      if (transaction === undefined) continue;
      const record = { timestamp, node: batch.trx.node };
      const readable = this.#agrees(record, transaction, batch);
      this.#follow(record, transaction, { index, readable, ...contentOf(batch) }, false);
    }
  }

  /** The head that follows from the records alone, with all of them applied, and the last ones still to be told of. */
  head(): LogHead {
    return {
      ...emptyLog,
      count: this.#position,
      timestamp: this.#timestamp,
      recordId: this.#recordId,
      // A log counts from the second format on; its head is not to be written in the first one again.
      format: this.#counts === undefined ? 1 : 2,
      counts: this.#counts,
      unnotified: { ...nothingPending, listed: this.#latest.slice(-listedMax) },
    };
  }

  /** Whether all records are there. */
  endAt(head: LogHead): boolean {
    const differs = (what: string, says: number | string, is: number | string): void => {
      this.#findings.add("log_head_differs", `the log's head says ${what} ${says}, the records say ${is}`);
    };
    if (head.count !== this.#position) differs("record count", head.count, this.#position);
    if (head.timestamp !== this.#timestamp) differs("last timestamp", head.timestamp, this.#timestamp);
    else if (this.#recordId !== "" && head.recordId !== this.#recordId)
      differs("last record", head.recordId, this.#recordId);
    // Records that an earlier version wrote do not say it: the head may, once they were counted.
    else if (this.#counts !== undefined && countsText(head.counts) !== countsText(this.#counts)) {
      differs("counts", countsText(head.counts), countsText(this.#counts));
    }
    const unknown = head.unapplied.listed.length - this.#listed.unapplied;
    const unnotified = head.unnotified.listed.length - this.#listed.unnotified;
    if (unknown + unnotified > 0) {
      this.#findings.add(
        "pending_unknown",
        `the log's head lists ${unknown + unnotified} pending records that are not there`,
      );
    }
    // A head that counts more than there is tells of records that are gone.
    return this.#whole && head.count <= this.#position;
  }

  endWithoutHead(isThere: boolean): boolean {
    if (!isThere && this.records > 0) {
      this.#findings.add("log_head_missing", `the log has ${this.records} records and no head`);
    }
    return this.#whole;
  }

  /** Whether the record may still have to be applied. */
  #notePending(timestamp: number, writtenAt: number): boolean {
    const { unapplied, unnotified } = this.#pending;
    const isUnapplied = isPending(unapplied, timestamp);
    const isUnnotified = isPending(unnotified, timestamp);
    const mayWait = isUnapplied && this.#mayWait(writtenAt);
    if (isUnapplied) this.unapplied += 1;
    if (isUnnotified) this.unnotified += 1;
    if (mayWait) this.waiting += 1;
    if (isUnapplied && this.oldestUnappliedAt === 0) this.oldestUnappliedAt = writtenAt;
    if (isUnnotified && this.oldestUnnotifiedAt === 0) this.oldestUnnotifiedAt = writtenAt;
    if (unapplied.listed.includes(timestamp)) this.#listed.unapplied += 1;
    if (unnotified.listed.includes(timestamp)) this.#listed.unnotified += 1;
    if (this.records === 1 && this.trimmedThrough === 0) this.begun = !mayWait;
    return mayWait;
  }

  #followPosition({ position, timestamp, recordId }: Pick<RecordSummary, "position" | "recordId" | "timestamp">): void {
    if (position !== this.#position + 1) {
      this.#whole = false;
      this.#findings.add(
        "record_missing",
        `the record at ${timestamp} is number ${position} of the log, and number ${this.#position + 1} was expected`,
      );
    }
    this.#position = position;
    this.#recordId = recordId;
  }

  /** The entries, or undefined when they cannot be read. */
  async #batches(row: Row, summary: RecordSummary): Promise<readonly EntryBatch[] | undefined> {
    try {
      return await decodeBlock(joinData(row.properties), this.#source.compressor);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      const lost = summary.transactions.map(
        ({ segment, firstSequence, lastSequence }) =>
          `${JSON.stringify(segment)} ${rangeText(firstSequence, lastSequence)}`,
      );
      this.#findings.add(
        "record_unreadable",
        `the entries of the record at ${summary.timestamp} cannot be read (${error.message}); it has ${lost.join(", ")}`,
      );
      return undefined;
    }
  }

  /** All transactions of one id are in the record, and in the order of the space. */
  #checkTogether({
    timestamp,
    transactions,
  }: Pick<RecordSummary, "timestamp"> & { readonly transactions: readonly LoggedSummary[] }): void {
    for (const [index, transaction] of transactions.entries()) {
      const before = transactions[index - 1];
      const order =
        before === undefined
          ? -1
          : compareUtf8(before.segment, transaction.segment) || before.number - transaction.number;
      if (order >= 0)
        this.#findings.add("record_differs", `the record at ${timestamp} is not in the order of the space`);
      const together = transactions.filter(({ id }) => id === transaction.id).length;
      if (together !== transaction.segments) {
        this.#findings.add(
          "record_differs",
          `transaction ${transaction.id} was for ${transaction.segments} segments, its record at ${timestamp} has ${together}`,
          transaction.segment,
        );
      }
    }
  }

  #agrees(record: RecordOf, transaction: LoggedSummary, batch: EntryBatch | undefined): boolean {
    const isSame =
      batch !== undefined &&
      batch.space === this.#space &&
      isBatchOf({ ...placeOf(record, transaction), node: record.node }, transaction.segment, batch);
    if (!isSame) {
      this.#findings.add(
        "record_differs",
        `the record at ${record.timestamp} has other entries than its summary says for ${rangeText(transaction.firstSequence, transaction.lastSequence)}`,
        transaction.segment,
      );
    }
    return isSame;
  }

  #follow(
    record: RecordOf,
    transaction: LoggedSummary,
    entries: Pick<LoggedTransaction, "content" | "index" | "readable" | "redacted">,
    mayWait: boolean,
  ): void {
    const { segment, firstSequence, lastSequence, number, keyed } = transaction;
    const logged = this.segments.get(segment) ?? { transactions: [], whole: true };
    this.segments.set(segment, logged);
    const last = logged.transactions.at(-1);
    const next = (last?.lastSequence ?? 0) + 1;
    const isBegun = next > 1 || transaction.change?.kind !== "restore";
    // A trimmed part does not tell how far a segment had come.
    const isContinued =
      (last === undefined && this.trimmedThrough > 0) ||
      ((firstSequence === next || !isBegun) && numberBefore(transaction) === (last?.number ?? 0));
    if (!isContinued) {
      logged.whole = false;
      this.#findings.add(
        "sequence_fork",
        `the log has transaction ${number} at ${rangeText(firstSequence, lastSequence)} (record ${record.timestamp}), and transaction ${(last?.number ?? 0) + 1} at ${next} was expected`,
        segment,
      );
    }
    this.entries += lastSequence - firstSequence + 1;
    const confirmed = !isPending(this.#pending.unapplied, record.timestamp);
    const pending = mayWait && !confirmed;
    logged.transactions.push({
      ...placeOf(record, transaction),
      node: record.node,
      keyed,
      pending,
      confirmed,
      ...entries,
    });
  }
}

/** The digest is that of the entries as they are: a merged row has no other. */
function transactionOf(batch: EntryBatch, record: readonly EntryBatch[]): LoggedSummary {
  const { firstSequence, lastSequence, segment, trx } = batch;
  return {
    ...{ segment, firstSequence, lastSequence },
    number: trx.number,
    id: trx.id,
    digest: storedDigest(batch),
    segments: record.filter(({ trx: { id } }) => id === trx.id).length,
    keyed: undefined,
  };
}

/** Whether these are the entries that the log's summary speaks of. */
export function isBatchOf(
  place: TransactionPlace & { readonly node: NodeId },
  segment: SegmentName,
  batch: EntryBatch,
): boolean {
  return (
    batch.segment === segment &&
    batch.firstSequence === place.firstSequence &&
    batch.lastSequence === place.lastSequence &&
    batch.timestamp === place.timestamp &&
    batch.trx.id === place.id &&
    batch.trx.number === place.number &&
    batch.trx.node === place.node &&
    batch.entries.every((entry) => entry.timestamp === place.timestamp) &&
    storedDigest(batch) === place.digest
  );
}

function countsText(counts: Counts | undefined): string {
  return counts === undefined ? "unknown" : `${counts.entries} entries, ${counts.bytes} bytes`;
}

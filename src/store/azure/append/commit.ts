// The content of one commit: the record of what was accepted, and the log's head after it; and how a writer writes to
// its log.

import type { NodeId, SpaceName } from "../../../core/ids.ts";
import type { Telemetry } from "../../../core/telemetry.ts";
import type { Random } from "../../../core/clock.ts";
import type { Compressor } from "../../../codec/block.ts";
import { encodeBlock } from "../../../codec/block.ts";
import { compareUtf8 } from "../../../codec/lexkey.ts";
import type { EntryBatch } from "../../../codec/transaction.ts";
import type { Settling, Attempt } from "./log-state.ts";
import type { LogVersion, LogReader } from "../log/log-reader.ts";
import type { Format, Counts } from "../rows/format.ts";
import { laterFormat } from "../rows/format.ts";
import type { LogHead, RecordSummary } from "../rows/log-rows.ts";
import { addPending, withoutDone } from "../rows/pending.ts";
import type { AcceptedPart } from "./plan.ts";
import type { WaitingAppend } from "./queue.ts";
import type { AzureStoreOptions } from "../instance/options.ts";
import type { SubmitResult, Table, Write } from "../../../table/port.ts";
import { recordRow } from "../rows/keys.ts";
import { encodeLogHead, encodeRecord } from "../rows/log-rows.ts";

export interface AttemptDeps {
  readonly space: SpaceName;
  readonly node: NodeId;
  readonly compressor: Compressor;
  readonly random: Random;
  readonly options: Pick<AzureStoreOptions, "formatVersion">;
}

/** The record that follows `version`, under an id of its own. */
export async function buildAttempt(
  deps: AttemptDeps,
  version: LogVersion,
  timestamp: number,
  members: ReadonlyMap<WaitingAppend, readonly AcceptedPart[]>,
): Promise<Attempt> {
  const { compressor, node, options, random, space } = deps;
  const accepted = [...members.values()].flat().sort(inSpaceOrder);
  const record: RecordSummary = {
    timestamp,
    recordId: random.uuid(),
    node,
    position: version.head.count + 1,
    transactions: accepted.map(({ summary }) => summary),
    counts: nextCounts(version.head, accepted, options.formatVersion),
    ...(version.head.ending === undefined ? {} : { beginsLife: true }),
  };
  const withEntries = accepted.filter(({ part }) => part.records.length > 0);
  const batches = withEntries.map((part) => batchOf(part, space, timestamp, node));
  return { record, content: { batches, data: await encodeBlock(batches, compressor) }, members };
}

/**
 * The head that this record makes of the one before it; what is done meanwhile is written off with it.
 * `unnotifiedListedMax`: how many records it may list as not notified; undefined: nobody is to be told.
 */
export function nextHead(
  before: LogHead,
  attempt: Attempt,
  settling: Settling,
  unnotifiedListedMax: number | undefined,
  options: Pick<AzureStoreOptions, "formatVersion" | "leaseKeysMax">,
): LogHead {
  const { record } = attempt;
  const { timestamp } = record;
  const unnotified = withoutDone(before.unnotified, settling.notified);
  return {
    count: record.position,
    timestamp,
    recordId: record.recordId,
    registered: true,
    unapplied: addPending(withoutDone(before.unapplied, settling.applied), timestamp),
    unnotified: unnotifiedListedMax === undefined ? unnotified : addPending(unnotified, timestamp, unnotifiedListedMax),
    ...nextFences(before, attempt, options.leaseKeysMax),
    format: laterFormat(before.format, options.formatVersion),
    counts: record.counts,
    life: before.life,
    redactions: before.redactions,
  };
}

/** Unknown counts stay unknown: only a log that begins counts from nothing. */
function nextCounts(before: LogHead, accepted: readonly AcceptedPart[], format: Format): Counts | undefined {
  const begins = before.count === 0 && laterFormat(before.format, format) === 2;
  const counts = before.counts ?? (begins ? { entries: 0, bytes: 0 } : undefined);
  if (counts === undefined) return undefined;
  let { entries, bytes } = counts;
  for (const { part } of accepted) {
    entries += part.records.length;
    bytes += part.contentBytes;
  }
  return { entries, bytes };
}

/** Beyond so many keys those go that were not used for longest: what they forget, the lease's own row is asked for. */
function nextFences(
  before: LogHead,
  { members, record }: Attempt,
  keysMax: number,
): Pick<LogHead, "droppedAt" | "fences"> {
  const fences = new Map(before.fences);
  for (const { lease } of members.keys()) {
    if (lease === undefined) continue;
    const token = Math.max(lease.token, fences.get(lease.key) ?? 0);
    // The last key in the map is the one that was used last.
    fences.delete(lease.key);
    fences.set(lease.key, token);
  }
  const dropped = [...fences.keys()].slice(0, Math.max(0, fences.size - keysMax));
  for (const key of dropped) fences.delete(key);
  return { fences, droppedAt: dropped.length === 0 ? before.droppedAt : record.timestamp };
}

/** The head without what is done, when no record is added; undefined when it says so already. */
export function settledHead(head: LogHead, settling: Settling): LogHead | undefined {
  const unapplied = withoutDone(head.unapplied, settling.applied);
  const unnotified = withoutDone(head.unnotified, settling.notified);
  const isSame =
    unapplied.listed.length === head.unapplied.listed.length &&
    unnotified.listed.length === head.unnotified.listed.length &&
    unnotified.from === head.unnotified.from;
  return isSame ? undefined : { ...head, unapplied, unnotified };
}

/** Measures what a commit of this instance brought, once it is known to be in the log. */
export function measureCommitted(telemetry: Telemetry, { members, record }: Attempt): void {
  let records = 0;
  let bytes = 0;
  for (const { firstSequence, lastSequence } of record.transactions) records += lastSequence - firstSequence + 1;
  for (const { parts } of members.keys()) for (const { plainBytes } of parts) bytes += plainBytes;
  telemetry.record("streamkit.commit.group_size", members.size);
  telemetry.record("streamkit.produce.records", records);
  telemetry.record("streamkit.produce.bytes", bytes);
}

/** One request that was to commit. */
export function measureCommit(telemetry: Telemetry, ms: number, outcome: "committed" | "lost_race"): void {
  telemetry.record("streamkit.commit.duration", ms / 1_000, { "streamkit.commit.outcome": outcome });
}

function inSpaceOrder(a: AcceptedPart, b: AcceptedPart): number {
  return compareUtf8(a.summary.segment, b.summary.segment) || a.summary.number - b.summary.number;
}

function batchOf({ part, summary }: AcceptedPart, space: SpaceName, timestamp: number, node: NodeId): EntryBatch {
  const { segment, firstSequence, lastSequence, id, number } = summary;
  const trx = { id, node, number };
  const entries = part.records.map(({ payload, metadata }, index) => ({
    sequence: firstSequence + index,
    timestamp,
    trx,
    payload,
    metadata,
    space,
    segment,
  }));
  return { trx, space, segment, firstSequence, lastSequence, timestamp, entries };
}

/** A record with its entries as they are stored. */
interface StoredData {
  readonly record: RecordSummary;
  readonly data: Uint8Array;
}

/**
 * Writes to the log: a record with the head that it makes, or a head alone; each under the version that it replaces. A
 * write whose failure leaves its outcome open is thrown; a refusal too means no more than: look at the log.
 */
export class LogWrites {
  readonly #table: Pick<Table, "create" | "submit">;
  readonly #log: Pick<LogReader, "headRow" | "partition">;

  constructor(table: Pick<Table, "create" | "submit">, log: Pick<LogReader, "headRow" | "partition">) {
    this.#table = table;
    this.#log = log;
  }

  /** The commit point: the record is in the log if and only if this succeeds. */
  commit(version: LogVersion, head: LogHead, { content, record }: Attempt): Promise<SubmitResult> {
    return this.commitRecords(version.etag, head, [{ record, data: content.data }]);
  }

  /** The same of several records: all of them are in the log, or none is. */
  commitRecords(etag: string | undefined, head: LogHead, records: readonly StoredData[]): Promise<SubmitResult> {
    const { headRow } = this.#log;
    const properties = encodeLogHead(head);
    return this.#submit([
      etag === undefined
        ? { kind: "insert", row: headRow, properties }
        : { kind: "replace", row: headRow, properties, ifMatch: etag },
      ...records.map(({ record, data }): Write => {
        return { kind: "insert", row: recordRow(record.timestamp), properties: encodeRecord(record, data) };
      }),
    ]);
  }

  /** A head that lists less, and says nothing else. */
  settle(etag: string, head: LogHead): Promise<SubmitResult> {
    return this.#submit([{ kind: "replace", row: this.#log.headRow, properties: encodeLogHead(head), ifMatch: etag }]);
  }

  async #submit(writes: readonly Write[]): Promise<SubmitResult> {
    const { partition } = this.#log;
    const result = await this.#table.submit(partition, writes);
    if (result.kind === "done" || result.reason !== "table_missing") return result;
    // The same attempt under the same condition: nothing is to be learned before it.
    await this.#table.create();
    return this.#table.submit(partition, writes);
  }
}

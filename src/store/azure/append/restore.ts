// Commits records of a backup: many at once, each in a row of its own, as it was in the log that they were read from.
//
// One transaction replaces the log's head, under the ETag of a version of which all is applied, and inserts the
// records. So they are all there or none is, and whoever wrote meanwhile makes it fail. They are then pending like any
// records. Dying before that leaves nothing; after it the next writer, or the monitor, applies them, and the same call
// finds them there.

import { invalidArgument, sequenceMismatch, StoreError } from "../../../core/errors.ts";
import type { Clock, Random } from "../../../core/clock.ts";
import { contentBytes } from "../../../core/entry.ts";
import type { SegmentName, SpaceName } from "../../../core/ids.ts";
import type { Compressor } from "../../../codec/block.ts";
import { encodeBlock } from "../../../codec/block.ts";
import { contentDigest } from "../../../codec/transaction.ts";
import type { EntryBatch } from "../../../codec/transaction.ts";
import type { Table } from "../../../table/port.ts";
import { checkNotFuture } from "../../restoring.ts";
import type { RestoredRecord, RestoreOutcome } from "../../restoring.ts";
import { areJson, refusedPlain, streamRefused } from "../../stream-rules.ts";
import type { Applier } from "../apply/applier.ts";
import { backOff } from "../instance/back-off.ts";
import { isTransient } from "../instance/failure.ts";
import type { LogReader } from "../log/log-reader.ts";
import type { Registration } from "../log/registration.ts";
import { segmentHeadRow, segmentPartition } from "../rows/keys.ts";
import type { LogHead, RecordSummary, TransactionSummary } from "../rows/log-rows.ts";
import { addPending, hasPending, listedMax } from "../rows/pending.ts";
import type { SegmentHead } from "../rows/segment-rows.ts";
import { advance, decodeSegmentHead, emptySegment, headProperties, placeOf } from "../rows/segment-rows.ts";
import type { LogWrites } from "./commit.ts";

export interface RestoreDeps {
  readonly space: SpaceName;
  readonly table: Table;
  readonly reader: Pick<LogReader, "readHead">;
  readonly writes: Pick<LogWrites, "commitRecords">;
  readonly registration: Pick<Registration, "registered">;
  readonly applier: Pick<Applier, "add">;
  readonly compressor: Compressor;
  readonly clock: Clock;
  readonly random: Random;
  /** Applies all that the log's head, read from now on, lists, and writes it off. */
  readonly applyPending: () => Promise<void>;
  readonly signal: AbortSignal | undefined;
}

/** Tries in a row that came to nothing. */
const triesMax = 8;
/** Heads of segments that are read at the same time. */
const readsTogether = 32;

export async function restoreRecords(deps: RestoreDeps, records: readonly RestoredRecord[]): Promise<RestoreOutcome> {
  for (let failures = 1; ; failures += 1) {
    deps.signal?.throwIfAborted();
    try {
      const outcome = await restoreOnce(deps, records);
      if (outcome !== "overtaken") return outcome;
    } catch (error) {
      // What was sent landed or did not: the log tells, read anew.
      if (!isTransient(error) || failures >= triesMax) throw error;
    }
    if (failures >= triesMax) throw crowded(deps.space);
    await backOff(deps, failures);
  }
}

async function restoreOnce(
  deps: RestoreDeps,
  records: readonly RestoredRecord[],
): Promise<RestoreOutcome | "overtaken"> {
  const { applier, clock, compressor, random, reader, registration, writes } = deps;
  await deps.applyPending();
  const version = await reader.readHead();
  if (hasPending(version.head.unapplied)) return "overtaken";
  const [first] = records;
  const last = records.at(-1);
  if (first === undefined || last === undefined) return { kind: "done" };
  const { timestamp: lastTimestamp } = version.head;
  if (first.timestamp <= lastTimestamp) return { kind: "behind", lastTimestamp };
  const now = Math.max(clock.now(), version.serviceTime);
  checkNotFuture(last.timestamp, now);
  const heads = await readHeads(deps, records);
  let plan: RestorePlan;
  try {
    plan = planRestore(version.head, heads, records, () => random.uuid());
  } catch (error) {
    // The heads may be ahead of the version: a refusal is told of what is still so.
    if ((await reader.readHead()).etag !== version.etag) return "overtaken";
    throw error;
  }
  const data = await Promise.all(records.map(({ batches }) => encodeBlock(batches, compressor)));
  await registration.registered(version);
  const stored = plan.records.map((record, index) => ({ record, data: data[index] ?? new Uint8Array() }));
  const result = await writes.commitRecords(version.etag, plan.head, stored);
  if (result.kind === "refused") return "overtaken";
  for (const [index, record] of plan.records.entries()) {
    // Nobody is told of what is restored.
    const content = { batches: records[index]?.batches ?? [], data: data[index] ?? new Uint8Array() };
    applier.add(record, result.serviceTime, content, false);
  }
  await deps.applyPending();
  const after = await reader.readHead();
  if (!hasPending(after.head.unapplied)) return { kind: "done" };
  throw new StoreError(
    "overloaded",
    "The entries are restored, and not in all of their segments yet. Repeat the call.",
    {
      effect: "committed",
      retryAfterMs: 1_000,
    },
  );
}

/** Read after the log's version is known: nothing is applied then that it does not tell. */
async function readHeads(
  { space, table }: RestoreDeps,
  records: readonly RestoredRecord[],
): Promise<ReadonlyMap<SegmentName, SegmentHead>> {
  const segments = [...new Set(records.flatMap(({ batches }) => batches.map(({ segment }) => segment)))];
  const heads = new Map<SegmentName, SegmentHead>();
  for (let at = 0; at < segments.length; at += readsTogether) {
    await Promise.all(
      segments.slice(at, at + readsTogether).map(async (segment) => {
        const partition = segmentPartition(space, segment);
        const { row } = await table.get(partition, segmentHeadRow(partition), { select: headProperties });
        heads.set(segment, row === undefined ? emptySegment : decodeSegmentHead(row));
      }),
    );
  }
  return heads;
}

export interface RestorePlan {
  readonly head: LogHead;
  readonly records: readonly RecordSummary[];
}

/** What the log becomes, with everything before it applied. Pure but for the ids, which name each record. */
export function planRestore(
  before: LogHead,
  heads: ReadonlyMap<SegmentName, SegmentHead>,
  given: readonly RestoredRecord[],
  newId: () => string,
): RestorePlan {
  const states = new Map(heads);
  let { counts, ending, unapplied } = before;
  let position = before.count;
  if (position === 0) counts ??= { entries: 0, bytes: 0 };
  const records = given.map(({ batches, node, timestamp }): RecordSummary => {
    position += 1;
    const transactions = batches.map((batch) => {
      const state = states.get(batch.segment) ?? emptySegment;
      const transaction = { ...transactionOf(batch, batches), ...changeOf(state, batch) };
      checkFollows(state, batch);
      states.set(batch.segment, advance(state, placeOf({ timestamp }, transaction)));
      return transaction;
    });
    if (counts !== undefined) counts = { entries: counts.entries + entriesOf(batches), bytes: counts.bytes + bytesOf(batches) }; // prettier-ignore
    const begins = ending === undefined ? {} : { beginsLife: true };
    ending = undefined;
    unapplied = addPending(unapplied, timestamp, listedMax);
    return { timestamp, recordId: newId(), node, position, transactions, counts, ...begins };
  });
  const last = records.at(-1);
  const head: LogHead = {
    ...before,
    ...(last === undefined ? {} : { timestamp: last.timestamp, recordId: last.recordId }),
    ...{ count: position, registered: true, unapplied, format: 2, counts, ending },
  };
  return { head, records };
}

/** The caller's key is in no backup: the id is kept with its entries alone. */
function transactionOf(batch: EntryBatch, together: readonly EntryBatch[]): TransactionSummary {
  const { entries, firstSequence, lastSequence, segment, trx } = batch;
  return {
    ...{ segment, firstSequence, lastSequence },
    number: trx.number,
    id: trx.id,
    digest: contentDigest(entries),
    segments: together.filter(({ trx: { id } }) => id === trx.id).length,
    keyed: false,
  };
}

/** Said only where it does not follow by itself, as most do: a record that says it is never merged. */
function changeOf(state: SegmentHead, { firstSequence, trx }: EntryBatch): Pick<TransactionSummary, "change"> {
  const follows = trx.number === state.transactionNumber + 1 && firstSequence === state.lastSequence + 1;
  return follows ? {} : { change: { kind: "restore", after: state.transactionNumber } };
}

function checkFollows(state: SegmentHead, { entries, firstSequence, segment, timestamp, trx }: EntryBatch): void {
  const { lastSequence, stream, transactionNumber } = state;
  const expected = lastSequence + 1;
  if (lastSequence > 0 && firstSequence !== expected)
    throw sequenceMismatch({ segment, expected, received: firstSequence, lastSequence, winner: undefined });
  if (trx.number <= transactionNumber)
    throw invalidArgument("trx.number", `a number after ${transactionNumber}, the last of segment ${segment}`, trx.number); // prettier-ignore
  const answer = refusedPlain({ stream, timestamp, isJson: () => areJson(entries) });
  if (answer !== undefined) throw streamRefused(answer);
}

function entriesOf(batches: readonly EntryBatch[]): number {
  return batches.reduce((sum, { entries }) => sum + entries.length, 0);
}

function bytesOf(batches: readonly EntryBatch[]): number {
  return batches.reduce((sum, { entries }) => entries.reduce((bytes, entry) => bytes + contentBytes(entry), sum), 0);
}

function crowded(space: SpaceName): StoreError {
  const why = `Others write to space ${JSON.stringify(space)} all the time, or a segment of it cannot be applied. Try again a little later.`;
  return new StoreError("overloaded", why, { effect: "unknown", retryAfterMs: 1_000 });
}

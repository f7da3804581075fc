// Trims a space: its segments first, then its log.
//
// Goes from the front in transactions, each of whole records, and stops before the first that the log's head lists as not applied or not
// notified. First each segment that the records name is trimmed up to what they hold of it: what the log has lost, nothing else could tell.
// Then the records go, and the marker comes, in one transaction, every row under its own ETag. If the process dies anywhere, the same call
// goes on; between the two the space still shows what its segments have lost.

import { corruptData } from "../../../core/errors.ts";
import type { SegmentName, SpaceName } from "../../../core/ids.ts";
import { comparePlaces, cursorAfter, parseCursor } from "../../../codec/cursor.ts";
import type { Place } from "../../../codec/cursor.ts";
import type { Row, Write } from "../../../table/port.ts";
import type { SpaceTrim, TrimPoint } from "../../store.ts";
import { backOff } from "../instance/back-off.ts";
import { isTransient } from "../instance/failure.ts";
import type { HeadRead, LogReader } from "../log/log-reader.ts";
import { rows } from "../read/pages.ts";
import { lastRecordTimestamp, recordRange, timestampOfRow } from "../rows/keys.ts";
import type { RecordSummary } from "../rows/log-rows.ts";
import { decodeRecordSummary, encodeLogHead, hasEntries, summaryProperties } from "../rows/log-rows.ts";
import { encodeLogMarker, isMarker } from "../rows/markers.ts";
import { doneThrough } from "../rows/pending.ts";
import type { TrimDeps } from "./segment-trim.ts";
import { crowded, measureTrim, trimSegment, triesMax } from "./segment-trim.ts";

export interface SpaceTrimDeps extends TrimDeps {
  readonly reader: Pick<LogReader, "headRow" | "partition" | "readHead">;
}

/** The other operations of a transaction: the marker, where it stands in no row's place, and the former marker. */
const otherOperations = 2;
/** Segments trimmed at the same time. */
const segmentsTogether = 8;

/** The call ends after `trimTransactionsMax` transactions of the log, at most: the next goes on from there. */
export async function trimSpace(deps: SpaceTrimDeps, space: SpaceName, before: TrimPoint): Promise<SpaceTrim> {
  const isBefore = judge(before);
  let failures = 0;
  let transactions = 0;
  for (;;) {
    deps.signal?.throwIfAborted();
    try {
      const head = await deps.reader.readHead(deps.signal);
      const front = await readFront(deps, head, isBefore);
      if (front.records.length === 0) return { earliest: earliestOf(space, front.marker), state: front.state };
      const outcome = await removeFront(deps, space, head, front);
      if (outcome === "moved") {
        transactions += 1;
        failures = 0;
        if (transactions >= deps.options.trimTransactionsMax) return { earliest: lastOf(space, front), state: "more" };
        continue;
      }
      if (outcome === "segment_goes_on") return { earliest: earliestOf(space, front.marker), state: "more" };
      failures += 1;
    } catch (error) {
      if (!isTransient(error)) throw error;
      failures += 1;
      if (failures >= triesMax) throw error;
    }
    if (failures >= triesMax) throw crowded(`space ${JSON.stringify(space)}`);
    await backOff(deps, failures);
  }
}

interface Stored {
  readonly row: Row;
  readonly summary: RecordSummary;
}

/** The rows that one transaction takes. */
interface Front {
  readonly marker: Row | undefined;
  readonly records: readonly Stored[];
  /** Why there is no more of it. */
  readonly state: SpaceTrim["state"];
}

async function readFront(
  { options, reader, signal, table }: SpaceTrimDeps,
  { head }: HeadRead,
  isBefore: (summary: RecordSummary) => boolean,
): Promise<Front> {
  const { timestamp, unapplied, unnotified } = head;
  const settled = Math.min(doneThrough(unapplied, timestamp), doneThrough(unnotified, timestamp));
  const room = options.batchOperations - otherOperations;
  const records: Stored[] = [];
  let marker: Row | undefined;
  const range = recordRange(reader.partition, 1, lastRecordTimestamp);
  const reading = { select: summaryProperties, likely: room + 2, firstRows: room + 2, signal };
  for await (const row of rows(table, range, reading)) {
    if (isMarker(row)) {
      marker = row;
      continue;
    }
    const summary = decodeRecordSummary(row);
    if (!isBefore(summary)) break;
    if (summary.timestamp > settled) return { marker, records, state: "pending" };
    if (records.length === room) return { marker, records, state: "more" };
    records.push({ row, summary });
  }
  return { marker, records, state: "done" };
}

async function removeFront(
  deps: SpaceTrimDeps,
  space: SpaceName,
  head: HeadRead,
  { marker, records }: Front,
): Promise<"moved" | "overtaken" | "segment_goes_on"> {
  if (head.head.format === 1 && !(await writeFormat(deps, head))) return "overtaken";
  if (!(await trimSegments(deps, space, records))) return "segment_goes_on";
  const last = records.at(-1);
  if (last === undefined) return "moved";
  const { position, recordId, counts, transactions } = last.summary;
  const transaction = transactions.findLast(hasEntries);
  const properties = encodeLogMarker({
    last: transaction && { segment: transaction.segment, sequence: transaction.lastSequence },
    ...{ position, recordId, counts },
  });
  const removed = records.slice(0, -1).map(({ row }) => row);
  if (marker !== undefined) removed.push(marker);
  const writes: Write[] = [
    { kind: "replace", row: last.row.row, properties, ifMatch: last.row.etag },
    ...removed.map(({ row, etag }): Write => ({ kind: "delete", row, ifMatch: etag })),
  ];
  if ((await deps.table.submit(deps.reader.partition, writes)).kind !== "done") return "overtaken";
  measureTrim(deps, "space", records.length);
  return "moved";
}

/** False: one has more than a call removes. */
async function trimSegments(deps: SpaceTrimDeps, space: SpaceName, records: readonly Stored[]): Promise<boolean> {
  const through = new Map<SegmentName, number>();
  for (const { summary } of records) {
    for (const { segment, lastSequence } of summary.transactions) through.set(segment, lastSequence);
  }
  const all = [...through];
  for (let at = 0; at < all.length; at += segmentsTogether) {
    const ends = await Promise.all(
      all.slice(at, at + segmentsTogether).map(async ([segment, sequence]) => {
        const trimmed = await trimSegment(deps, space, segment, sequence + 1, "space");
        // Its records are applied, or they would be listed.
        if (trimmed === undefined) throw corruptData(`segment ${segment} has no head, and its log has applied records`);
        return trimmed.head.firstSequence > sequence;
      }),
    );
    if (ends.includes(false)) return false;
  }
  return true;
}

/** The log's head says that there are rows which only this format has, before there are any. */
async function writeFormat({ reader, table }: SpaceTrimDeps, { etag, head }: HeadRead): Promise<boolean> {
  if (etag === undefined) return false;
  const properties = encodeLogHead({ ...head, format: 2 });
  const written = await table.submit(reader.partition, [
    { kind: "replace", row: reader.headRow, properties, ifMatch: etag },
  ]);
  return written.kind === "done";
}

function judge(before: TrimPoint): (summary: RecordSummary) => boolean {
  if ("timestamp" in before) return ({ timestamp }) => timestamp < before.timestamp;
  if (before.offset === "") return () => false;
  const place = parseCursor(before.offset);
  return (summary) => comparePlaces(lastPlaceOf(summary), place) <= 0;
}

function lastPlaceOf({ timestamp, transactions }: RecordSummary): Omit<Place, "space"> {
  const last = transactions.at(-1);
  // A record has a transaction at least.
  if (last === undefined) throw corruptData(`the log record at ${timestamp} has no transactions`);
  return { timestamp, segment: last.segment, sequence: last.lastSequence };
}

function earliestOf(space: SpaceName, marker: Row | undefined): SpaceTrim["earliest"] {
  return cursorAfter(space, marker === undefined ? 0 : timestampOfRow(marker.row));
}

function lastOf(space: SpaceName, { records }: Front): SpaceTrim["earliest"] {
  return cursorAfter(space, records.at(-1)?.summary.timestamp ?? 0);
}

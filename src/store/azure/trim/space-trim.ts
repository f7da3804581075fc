// Trims a space: its segments first, then its log.
//
// Goes from the front in transactions, each of whole records, and stops before the first that the log's head lists as
// not applied or not notified. First each segment that the records name is trimmed up to what they hold of it: what the
// log has lost, nothing else could tell. Then the records go, and the marker comes, in one transaction, every row under
// its own ETag. If the process dies anywhere, the same call goes on; between the two the space still shows what its
// segments have lost.

import { corruptData, StoreError } from "../../../core/errors.ts";
import type { SegmentName, SpaceName } from "../../../core/ids.ts";
import { decodeBlock, encodeMergedBlock, joinData } from "../../../codec/block.ts";
import { comparePlaces, cursorAfter, leastName, parseCursor } from "../../../codec/cursor.ts";
import type { Place } from "../../../codec/cursor.ts";
import type { Properties, Row, Write } from "../../../table/port.ts";
import type { SpaceTrim, TrimPoint } from "../../store.ts";
import { backOff } from "../instance/back-off.ts";
import { isTransient } from "../instance/failure.ts";
import type { HeadRead, LogReader } from "../log/log-reader.ts";
import { countOf, countRecords, nothingCounted } from "../read/count-records.ts";
import { rows } from "../read/pages.ts";
import type { Counts } from "../rows/format.ts";
import { lastRecordTimestamp, recordRange, recordRow, timestampOfRow } from "../rows/keys.ts";
import { decodeRecordSummary, encodeLogHead, hasEntries, summaryProperties } from "../rows/log-rows.ts";
import { decodeLogMarker, encodeLogMarker, isMarker } from "../rows/markers.ts";
import { decodeMergedRecords, encodeMergedRecords, isMerged } from "../rows/merged-rows.ts";
import type { RecordPlace } from "../rows/merged-rows.ts";
import { recordsOf, withoutFirst } from "../rows/merged-rows.ts";
import { doneThrough } from "../rows/pending.ts";
import type { TrimDeps } from "./segment-trim.ts";
import { crowded, measureTrim, trimSegment, triesMax } from "./segment-trim.ts";

export interface SpaceTrimDeps extends TrimDeps {
  readonly reader: Pick<LogReader, "headRow" | "partition" | "readHead">;
}

/** The other operations of a transaction: the marker, where it stands in no row's place, and the former marker. */
const otherOperations = 2;
/** Merged rows that one transaction takes: their entries are read, which may be megabytes. */
const mergedTogether = 4;
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
      if (front !== undefined && lastOf(front) === undefined) {
        return { earliest: earliestOf(space, front.marker), state: front.state };
      }
      const outcome = front === undefined ? "overtaken" : await removeFront(deps, space, head, front);
      if (outcome === "moved") {
        transactions += 1;
        failures = 0;
        if (transactions >= deps.options.trimTransactionsMax) return { earliest: endOf(space, front), state: "more" };
        continue;
      }
      if (outcome === "segment_goes_on") return { earliest: earliestOf(space, front?.marker), state: "more" };
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

/** The content of a row of the log, as far as a trim needs it. */
interface Stored extends RecordPlace {
  readonly row: Row;
  /** The last sequence that it holds of each segment. */
  readonly through: ReadonlyMap<SegmentName, number>;
}

/** A merged row that the point cuts: the last record that goes, and what stays. */
interface CutRow extends Stored {
  readonly rest: Properties;
  /** When its first record was committed, and how much of it goes. */
  readonly from: number;
  readonly gone: Counts;
}

/** The rows that one transaction takes. */
interface Front {
  readonly marker: Row | undefined;
  readonly records: readonly Stored[];
  readonly cut?: CutRow;
  /** Why there is no more of it. */
  readonly state: SpaceTrim["state"];
}

/** Undefined: a row is not as it was. */
async function readFront(
  deps: SpaceTrimDeps,
  { head }: HeadRead,
  isBefore: (place: Omit<Place, "space">) => boolean,
): Promise<Front | undefined> {
  const { options, reader, signal, table } = deps;
  const { timestamp, unapplied, unnotified } = head;
  const settled = Math.min(doneThrough(unapplied, timestamp), doneThrough(unnotified, timestamp));
  const room = options.batchOperations - otherOperations;
  const records: Stored[] = [];
  let marker: Row | undefined;
  let merged = 0;
  const range = recordRange(reader.partition, 1, lastRecordTimestamp);
  const reading = { select: summaryProperties, likely: room + 2, firstRows: room + 2, signal };
  for await (const row of rows(table, range, reading)) {
    if (isMarker(row)) {
      marker = row;
      continue;
    }
    const isFull = records.length === room || merged === mergedTogether;
    if (isMerged(row)) {
      const found = await frontOfMerged(deps, row, isBefore);
      if (found === undefined) return undefined;
      if (found === "stays") break;
      // A row that is cut is one operation more: it is rewritten, and the marker inserted.
      if (isFull || ("rest" in found && records.length === room - 1)) return { marker, records, state: "more" };
      if ("rest" in found) return { marker, records, cut: found, state: "done" };
      records.push(found);
      merged += 1;
      continue;
    }
    const stored = storedRecord(row);
    if (!isBefore(stored.place)) break;
    if (stored.place.timestamp > settled) return { marker, records, state: "pending" };
    if (isFull) return { marker, records, state: "more" };
    records.push(stored);
  }
  return { marker, records, state: "done" };
}

function storedRecord(row: Row): Stored {
  const { counts, position, recordId, timestamp, transactions } = decodeRecordSummary(row);
  // A record that only changes a stream has no entries.
  const entry = transactions.findLast(hasEntries);
  const last = entry && { segment: entry.segment, sequence: entry.lastSequence };
  const place = { timestamp, segment: leastName, sequence: 0, ...last };
  const through = new Map(transactions.map(({ segment, lastSequence }) => [segment, lastSequence]));
  return { row, place, last, position, recordId, counts, through };
}

/** All of a merged row is settled: only its entries tell how much of it goes. Undefined: it is not as it was. */
async function frontOfMerged(
  { compressor, reader, signal, table }: SpaceTrimDeps,
  { etag, row }: Row,
  isBefore: (place: Omit<Place, "space">) => boolean,
): Promise<Stored | CutRow | "stays" | undefined> {
  const whole = (await table.get(reader.partition, row, { signal })).row;
  if (whole?.etag !== etag) return undefined;
  const merged = decodeMergedRecords(whole);
  const records = recordsOf(merged, await decodeBlock(joinData(whole.properties), compressor));
  const gone = records.filter(({ place }) => isBefore(place));
  const last = gone.at(-1);
  if (last === undefined) return "stays";
  const through = new Map(gone.flatMap(({ batches }) => batches).map((batch) => [batch.segment, batch.lastSequence]));
  const stored: Stored = { ...last, row: whole, through };
  if (gone.length === records.length) return stored;
  const rest = records.slice(gone.length).flatMap(({ batches }) => batches);
  const data = await encodeMergedBlock(rest, compressor);
  if (data === undefined) throw new StoreError("internal", `A part of the merged row ${row} is larger than the whole.`);
  return {
    ...{ ...stored, from: merged.firstTimestamp, gone: countOf(gone.flatMap(({ batches }) => batches)) },
    rest: encodeMergedRecords(withoutFirst(merged, gone.length, rest[0]?.timestamp ?? 0), data),
  };
}

async function removeFront(
  deps: SpaceTrimDeps,
  space: SpaceName,
  head: HeadRead,
  front: Front,
): Promise<"moved" | "overtaken" | "segment_goes_on"> {
  if (head.head.format === 1 && !(await writeFormat(deps, head))) return "overtaken";
  const { cut, marker, records } = front;
  if (!(await trimSegments(deps, space, cut === undefined ? records : [...records, cut]))) return "segment_goes_on";
  const last = lastOf(front);
  if (last === undefined) return "moved";
  const { place, position, recordId } = last;
  const counts = last.counts ?? (await countThrough(deps, front, place.timestamp));
  const properties = encodeLogMarker({ last: last.last, position, recordId, counts });
  const removed = records.map(({ row }) => row);
  if (cut === undefined) removed.pop();
  if (marker !== undefined) removed.push(marker);
  const writes: Write[] = [
    cut === undefined
      ? { kind: "replace", row: last.row.row, properties, ifMatch: last.row.etag }
      : { kind: "insert", row: recordRow(place.timestamp), properties },
    ...(cut === undefined
      ? []
      : [{ kind: "replace", row: cut.row.row, properties: cut.rest, ifMatch: cut.row.etag } as const]),
    ...removed.map(({ row, etag }): Write => ({ kind: "delete", row, ifMatch: etag })),
  ];
  if ((await deps.table.submit(deps.reader.partition, writes)).kind !== "done") return "overtaken";
  measureTrim(deps, "space", records.length);
  return "moved";
}

/**
 * Of records that do not say it themselves: what their rows hold, behind what the marker says. Undefined: it does not
 * say it either.
 */
async function countThrough(
  deps: SpaceTrimDeps,
  { cut, marker }: Front,
  timestamp: number,
): Promise<Counts | undefined> {
  const before = marker === undefined ? undefined : decodeLogMarker(marker);
  if (before !== undefined && before.counts === undefined) return undefined;
  const from = before?.counts === undefined ? nothingCounted : { ...before.counts, timestamp: before.timestamp };
  const source = { ...deps, partition: deps.reader.partition, isOver: () => false };
  const through = await countRecords(source, from, cut === undefined ? timestamp : cut.from - 1);
  const { entries, bytes } = cut?.gone ?? { entries: 0, bytes: 0 };
  return through && { entries: through.entries + entries, bytes: through.bytes + bytes };
}

/** False: one has more than a call removes. */
async function trimSegments(deps: SpaceTrimDeps, space: SpaceName, records: readonly Stored[]): Promise<boolean> {
  const through = new Map<SegmentName, number>();
  for (const record of records) for (const [segment, sequence] of record.through) through.set(segment, sequence);
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
export async function writeFormat(
  { reader, table }: Pick<SpaceTrimDeps, "reader" | "table">,
  { etag, head }: HeadRead,
): Promise<boolean> {
  if (etag === undefined) return false;
  const properties = encodeLogHead({ ...head, format: 2 });
  const written = await table.submit(reader.partition, [
    { kind: "replace", row: reader.headRow, properties, ifMatch: etag },
  ]);
  return written.kind === "done";
}

function judge(before: TrimPoint): (place: Omit<Place, "space">) => boolean {
  if ("timestamp" in before) return ({ timestamp }) => timestamp < before.timestamp;
  if (before.offset === "") return () => false;
  const point = parseCursor(before.offset);
  return (place) => comparePlaces(place, point) <= 0;
}

function lastOf({ cut, records }: Front): Stored | undefined {
  return cut ?? records.at(-1);
}

function earliestOf(space: SpaceName, marker: Row | undefined): SpaceTrim["earliest"] {
  return cursorAfter(space, marker === undefined ? 0 : timestampOfRow(marker.row));
}

function endOf(space: SpaceName, front: Front | undefined): SpaceTrim["earliest"] {
  const last = front === undefined ? undefined : lastOf(front);
  return cursorAfter(space, last?.place.timestamp ?? 0);
}

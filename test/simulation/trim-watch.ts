// Judges every write of a trim to a log as it takes effect (L1, L3, L7).

import { recordRow } from "../../src/store/azure/rows/keys.ts";
import { decodeLogMarker, isMarker } from "../../src/store/azure/rows/markers.ts";
import { decodeMergedRecords, isMerged } from "../../src/store/azure/rows/merged-rows.ts";
import type { Change } from "../doubles/simulated-service.ts";
import { holdsRecords } from "./merge-watch.ts";
import type { SpaceTruth, Verdict } from "./truth.ts";

/**
 * A trim removes whole records from the front, none that is listed as pending, none beyond what was asked for, and none
 * that a segment still has (L1, L7); in the same moment the marker is where the last one was, and the former one is
 * gone.
 */
export function logTrimmed(space: SpaceTruth, changes: readonly Change[], verdict: Verdict): string {
  const check: Verdict["check"] = (...args) => verdict.check(...args);
  const placed = changes.flatMap(({ after }) => after ?? []);
  const [row] = placed.filter(isMarker);
  // A merged row that the point cuts keeps what is behind it.
  const [cut] = placed.filter(isMerged);
  if (row === undefined || placed.length !== (cut === undefined ? 1 : 2)) {
    verdict.report("L7", `rows of the log of ${space.name} were removed without a marker`);
    return "";
  }
  const marker = decodeLogMarker(row);
  const through = marker.timestamp;
  const gone = space.records.filter(({ timestamp }) => timestamp > space.goneThrough && timestamp <= through);
  const keys = new Set(changes.map((change) => change.row));
  const goneRows = [...space.rows.keys()].filter((timestamp) => timestamp <= through);
  const left = goneRows.find((timestamp) => !keys.has(recordRow(timestamp)));
  check(left === undefined, "L7", () => `the marker of ${space.name} is at ${through}, and row ${left} is before it`);
  const [until, from] = [...space.rows].find(([last, first]) => first <= through && through < last) ?? [0, 0];
  check(
    cut === undefined ? until === 0 : cut.row === recordRow(until),
    "L1",
    () => `a trim of ${space.name} up to ${through} does not cut the row from ${from} to ${until}`,
  );
  const former = space.goneThrough === 0 ? 0 : 1;
  const expected = goneRows.length + former + (cut === undefined ? 0 : 2);
  check(changes.length === expected, "L1", () => `a trim of ${space.name} removed rows that are not before ${through}`);
  check(
    through < space.asked,
    "L1",
    () => `${space.name} lost the record at ${through}, asked for was before ${space.asked}`,
  );
  for (const record of gone) {
    check(!space.pending.has(record), "L1", () => `record ${record.timestamp} of ${space.name} is pending, and gone`);
    for (const { segment, lastSequence } of record.transactions) {
      const isGone = space.segment(segment).first > lastSequence;
      check(isGone, "L7", () => `record ${record.timestamp} of ${space.name} is gone, segment ${segment} still has it`);
    }
  }
  const last = gone.at(-1);
  const ends = last?.transactions.at(-1);
  const isUnnamed = cut !== undefined && decodeMergedRecords(cut).recordIds === undefined;
  const tells =
    last?.timestamp === through &&
    marker.position === last.position &&
    (marker.recordId === last.recordId || (marker.recordId === undefined && isUnnamed)) &&
    marker.last?.segment === ends?.segment &&
    marker.last?.sequence === ends?.lastSequence;
  check(tells, "L3", () => `the marker of ${space.name} at ${through} does not tell of the last record that went`);
  const { counts } = marker;
  const isCounted =
    counts === undefined || (counts.entries === last?.entriesThrough && counts.bytes === last.bytesThrough);
  check(isCounted, "I8", () => `the marker of ${space.name} at ${through} counts ${counts?.entries} entries`);
  for (const timestamp of goneRows) space.rows.delete(timestamp);
  space.goneThrough = through;
  if (cut !== undefined) {
    const rest = space.records.filter(({ timestamp }) => timestamp > through && timestamp <= until);
    holdsRecords(space, cut, rest, verdict);
  }
  return `${space.name} begins after ${through}`;
}

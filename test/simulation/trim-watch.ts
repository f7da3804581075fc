// Judges every write of a trim to a log as it takes effect (L1, L3, L7).

import { recordRow } from "../../src/store/azure/rows/keys.ts";
import { decodeLogMarker, isMarker } from "../../src/store/azure/rows/markers.ts";
import type { Change } from "../doubles/simulated-service.ts";
import type { SpaceTruth, Verdict } from "./truth.ts";

/**
 * A trim removes whole records from the front, none that is listed as pending, none beyond what was asked for, and none that a segment
 * still has (L1, L7); in the same moment the marker is where the last one was, and the former one is gone.
 */
export function logTrimmed(space: SpaceTruth, changes: readonly Change[], verdict: Verdict): string {
  const check: Verdict["check"] = (...args) => verdict.check(...args);
  const placed = changes.filter(({ after }) => after !== undefined);
  const [row] = placed;
  if (row?.after === undefined || placed.length > 1 || !isMarker(row.after)) {
    verdict.report("L7", `rows of the log of ${space.name} were removed without a marker`);
    return "";
  }
  const marker = decodeLogMarker(row.after);
  const through = marker.timestamp;
  const gone = space.records.filter(({ timestamp }) => timestamp > space.goneThrough && timestamp <= through);
  const keys = new Set(changes.map((change) => change.row));
  const left = gone.find(({ timestamp }) => !keys.has(recordRow(timestamp)));
  check(
    left === undefined,
    "L7",
    () => `the marker of ${space.name} is at ${through}, and record ${left?.timestamp} is before it`,
  );
  const former = space.goneThrough === 0 ? 0 : 1;
  check(
    changes.length === gone.length + former,
    "L1",
    () => `a trim of ${space.name} removed rows that are not before ${through}`,
  );
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
  const tells =
    last?.timestamp === through &&
    marker.position === last.position &&
    marker.recordId === last.recordId &&
    marker.last?.segment === ends?.segment &&
    marker.last?.sequence === ends?.lastSequence;
  check(tells, "L3", () => `the marker of ${space.name} at ${through} does not tell of the last record that went`);
  const { counts } = marker;
  const isCounted =
    counts === undefined || (counts.entries === last?.entriesThrough && counts.bytes === last.bytesThrough);
  check(isCounted, "I8", () => `the marker of ${space.name} at ${through} counts ${counts?.entries} entries`);
  space.goneThrough = through;
  return `${space.name} begins after ${through}`;
}

// Mistakes in trims, and in what readers and writers make of them.

import type { Mutation } from "./mutation.ts";
import { azure, mutation } from "./mutation.ts";

const segmentsFirst =
  'if (!(await trimSegments(deps, space, cut === undefined ? records : [...records, cut]))) return "segment_goes_on";';
const spaceSubmit = 'if ((await deps.table.submit(deps.reader.partition, writes)).kind !== "done") return "overtaken";';
const toldSegment = "if (begun && args.clamp !== true) throw trimmed(`segment ${JSON.stringify(segment)}`, gone + 1);";
const toldSpace = "if (begun && args.clamp !== true) throw trimmedSpace(space, timestamp);";

export const trimming: readonly Mutation[] = [
  mutation(
    "marker-after-the-removal",
    50,
    "the marker of a space's trim written after its rows are removed",
    azure(
      "trim/space-trim",
      spaceSubmit,
      `if (writes.length > 1) await deps.table.submit(deps.reader.partition, writes.slice(1));
  if ((await deps.table.submit(deps.reader.partition, writes.slice(0, 1))).kind !== "done") return "overtaken";`,
    ),
  ),
  mutation(
    "removed-before-the-segments",
    50,
    "rows of a log removed before its segments are trimmed",
    azure("trim/space-trim", segmentsFirst, ""),
    azure("trim/space-trim", spaceSubmit, `${spaceSubmit}\n  ${segmentsFirst}`),
  ),
  mutation(
    "pending-records-trimmed",
    50,
    "a space trimmed over records that are not settled",
    azure("trim/space-trim", 'if (stored.place.timestamp > settled) return { marker, records, state: "pending" };', ""),
  ),
  mutation(
    "former-marker-left",
    50,
    "the former marker of a log left where it was",
    azure("trim/space-trim", "if (marker !== undefined) removed.push(marker);", ""),
  ),
  mutation(
    "head-ahead-of-the-rows",
    50,
    "a segment's head moved to the point at once, its rows removed little by little",
    azure(
      "trim/segment-trim",
      "const first = front.isAll ? target : Math.max(head.firstSequence, front.lastSequence + 1);",
      "const first = target;",
    ),
  ),
  mutation(
    "cut-block-left-whole",
    50,
    "the block that the point cuts left as it was",
    azure(
      "trim/segment-trim",
      "const etag = await this.#write(row, next, front.rows, rest?.cut);",
      "const etag = await this.#write(row, next, front.rows, undefined);",
    ),
  ),
  mutation(
    "trim-loses-to-an-apply",
    50,
    "an apply that writes the head as if nothing had been trimmed",
    azure(
      "apply/applier",
      "const properties = encodeSegmentHead(head, lastEntry);",
      "const properties = encodeSegmentHead({ ...head, firstSequence: 1, ownFirst: 1 }, lastEntry);",
    ),
  ),
  mutation(
    "trimmed-before-applied",
    300,
    "a segment trimmed without what the log lists as pending",
    azure("azure-backend", "await writer.applyPending(segment);", ""),
  ),
  mutation(
    "segment-reader-not-told",
    300,
    "a reader of a segment that goes on below the marker is not answered so",
    azure("read/read", toldSegment, ""),
  ),
  mutation(
    "space-reader-not-told",
    300,
    "a reader of a space that goes on below the marker is not answered so",
    azure("read/read", toldSpace, ""),
  ),
  mutation(
    "caught-up-reader-told",
    300,
    "a reader that has read all that was trimmed is told that it has missed something",
    azure(
      "read/read",
      "if (passed === undefined || comparePlaces(passed, gone) < 0) {",
      "if (passed === undefined || comparePlaces(passed, gone) <= 0) {",
    ),
  ),
  mutation(
    "all-trimmed-peeked-at",
    50,
    "a segment of which all is trimmed still shows its last entry",
    azure("read/read", "if (firstSequence > lastSequence) return undefined;", ""),
    azure(
      "trim/segment-trim",
      "const lastEntry = head.firstSequence > head.lastSequence ? undefined : lastEntryOf(row);",
      "const lastEntry = lastEntryOf(row);",
    ),
  ),
  mutation(
    "marker-counts-forgotten",
    50,
    "a marker that counts nothing as zero",
    azure(
      "trim/space-trim",
      "const properties = encodeLogMarker({ last: last.last, position, recordId, counts });",
      "const properties = encodeLogMarker({ last: last.last, position, recordId, counts: counts && { ...counts, entries: 0 } });",
    ),
  ),
];

// Checks a produce to several segments at once: one transaction each, in one commit, so together no more than one
// chunk.

import { contentBytes } from "../core/entry.ts";
import { invalidArgument, StoreError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import { chunkRecords } from "./create-store.ts";
import type { SegmentRecords } from "./store.ts";

/**
 * Throws `invalid_argument` (a segment named twice, too many of them, a record that no store takes), `record_too_large`
 * or `request_too_large`. Each segment's records have sequences or have none, whatever the others do.
 */
export async function checkTogether(segments: readonly SegmentRecords[]): Promise<void> {
  if (segments.length > limits.produceAllSegmentsMax) {
    throw invalidArgument("segments", `at most ${limits.produceAllSegmentsMax} segments`, segments.length);
  }
  const names = new Set(segments.map(({ segment }) => segment));
  if (names.size < segments.length) throw invalidArgument("segments", "each segment once");
  let bytes = 0;
  let count = 0;
  for (const { records } of segments) {
    for await (const chunk of chunkRecords(records)) {
      count += chunk.length;
      for (const record of chunk) bytes += contentBytes(record);
      refuseBeyond("records", limits.chunkRecordsMax, count);
      refuseBeyond("bytes", limits.chunkBytesMax, bytes);
    }
  }
}

/** `request_too_large` beyond the limit. */
export function refuseBeyond(unit: "bytes" | "records", limit: number, size: number): void {
  if (size <= limit) return;
  throw new StoreError(
    "request_too_large",
    `Together at most ${limit} ${unit} are committed at once; received ${size}.`,
    {
      details: { limit, size, unit },
    },
  );
}

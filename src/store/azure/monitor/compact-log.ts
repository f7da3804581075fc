// Compacts one log in a turn of bounded time, and tells when a log that rests wants another one.
//
// Promise: a turn may be done twice, by several at the same time, and end anywhere.

import type { SpaceName, StoreId } from "../../../core/ids.ts";
import type { CompactState } from "../compact/compact.ts";
import { compactSpace, mergedAgainAt } from "../compact/compact.ts";
import type { MonitorDeps } from "./monitor.ts";

export type CompactLogDeps = Pick<
  MonitorDeps,
  "clock" | "compressor" | "options" | "random" | "reader" | "table" | "telemetry"
>;

/** How long one turn merges the rows of a log, milliseconds. */
const turnMs = 5_000;

export async function compactLog(
  deps: CompactLogDeps,
  store: StoreId,
  space: SpaceName,
  isOver: () => boolean,
): Promise<CompactState> {
  const { clock, compressor, options, random, telemetry } = deps;
  if (options.formatVersion !== 2) return "done";
  const endsAt = clock.elapsed() + turnMs;
  return compactSpace(
    {
      ...{ clock, compressor, options, random },
      ...{ reader: deps.reader(store, space), table: deps.table(store) },
      isOver: () => isOver() || clock.elapsed() >= endsAt,
      onMerged: ({ bytesSaved, rows: merged }) => {
        telemetry.record("streamkit.compact.rows", merged);
        telemetry.record("streamkit.compact.saved", Math.max(0, bytesSaved));
      },
    },
    space,
  );
}

/** When the merged rows of a log are old enough to be merged again; undefined: there are too few to be worth it. */
export async function logCompactsAgainAt(
  { options, reader, table }: CompactLogDeps,
  store: StoreId,
  space: SpaceName,
): Promise<number | undefined> {
  if (options.formatVersion !== 2) return undefined;
  return mergedAgainAt({ options, reader: reader(store, space), table: table(store) });
}

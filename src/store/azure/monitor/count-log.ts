// Says in the head of a log how much its space has had, where it was written before logs were counted: once, by the
// monitor.
//
// Promise: the head says it only under the ETag of the version whose records were all counted. Dying anywhere leaves a
// head that says nothing.

import type { LogReader } from "../log/log-reader.ts";
import { countRecords } from "../read/count-records.ts";
import type { CountedThrough, CountSource } from "../read/count-records.ts";
import { encodeLogHead } from "../rows/log-rows.ts";

export interface CountLogDeps extends Omit<CountSource, "partition"> {
  readonly reader: Pick<LogReader, "headRow" | "partition" | "readHead">;
}

/**
 * Writers that come before it, in a row, before the rest is left to the next run: between two tries it has little to
 * count.
 */
const triesMax = 8;

/** Undefined: there is nothing to count, any more. Else how far it has come: the next run goes on from there. */
export async function countLog(deps: CountLogDeps, from: CountedThrough): Promise<CountedThrough | undefined> {
  const { reader, table } = deps;
  let counted = from;
  for (let tries = 0; tries < triesMax; tries += 1) {
    const { etag, head } = await reader.readHead();
    if (etag === undefined || head.count === 0 || head.counts !== undefined) return undefined;
    const through = await countRecords({ ...deps, partition: reader.partition }, counted, head.timestamp);
    if (through === undefined) return undefined;
    counted = through;
    if (counted.timestamp < head.timestamp) return counted;
    const { bytes, entries } = counted;
    const properties = encodeLogHead({ ...head, format: 2, counts: { bytes, entries } });
    const written = await table.submit(reader.partition, [
      { kind: "replace", row: reader.headRow, properties, ifMatch: etag },
    ]);
    if (written.kind === "done") return undefined;
  }
  return counted;
}

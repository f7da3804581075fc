// Whether the storage is well, as those who write need it: one row is read and written under its ETag.
//
// Promise: two requests, three the first time. Whoever asks while a probe is on its way gets that one's answer: asking often
// does not cost more.

import type { Clock } from "../../../core/clock.ts";
import type { Table, Write } from "../../../table/port.ts";
import { asStoreError } from "../instance/failure.ts";
import { probePartition, probeRow } from "../rows/keys.ts";

/** `registry`: the table of open logs; it is created when it is missing. The probe rejects with a StoreError. */
export function createProbe(registry: Table, clock: Clock): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= probe(registry, clock)
      .catch((error: unknown) => {
        throw asStoreError(error, "none");
      })
      .finally(() => {
        running = undefined;
      });
    return running;
  };
}

async function probe(registry: Table, clock: Clock): Promise<void> {
  const { row } = await registry.get(probePartition, probeRow);
  const properties = { probedAt: BigInt(Math.floor(clock.now())) };
  const write: Write =
    row === undefined
      ? { kind: "insert", row: probeRow, properties }
      : { kind: "replace", row: probeRow, properties, ifMatch: row.etag };
  const result = await registry.submit(probePartition, [write]);
  // Any other refusal is another instance's probe that came first: the storage has judged the condition, which is what is asked.
  if (result.kind === "done" || result.reason !== "table_missing") return;
  await registry.create();
  await registry.submit(probePartition, [write]);
}

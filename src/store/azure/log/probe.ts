// Checks whether the storage is well, as writers need it: one row is read and written under its ETag.
//
// Promise: two requests, three the first time. A caller that asks within a second of a probe's start, or while it is on
// its way, gets that probe's answer: asking often does not cost more.

import type { Clock } from "../../../core/clock.ts";
import type { Table, Write } from "../../../table/port.ts";
import { asStoreError } from "../instance/failure.ts";
import { probePartition, probeRow } from "../rows/keys.ts";

/** A probe is good for so long. */
const probeMs = 1_000;

/** `registry`: the table of open logs; it is created when it is missing. The probe rejects with a StoreError. */
export function createProbe(registry: Table, clock: Clock): () => Promise<void> {
  let last: { readonly at: number; readonly answer: Promise<void>; running: boolean } | undefined;
  return () => {
    if (last === undefined || (!last.running && clock.elapsed() - last.at >= probeMs)) {
      const answer = probe(registry, clock).catch((error: unknown) => {
        throw asStoreError(error, "none");
      });
      const begun = { at: clock.elapsed(), answer, running: true };
      const end = (): void => void (begun.running = false);
      answer.then(end, end);
      last = begun;
    }
    return last.answer;
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
  // Any other refusal is another instance's probe that came first: the storage has judged the condition, which is what
  // is asked.
  if (result.kind === "done" || result.reason !== "table_missing") return;
  await registry.create();
  await registry.submit(probePartition, [write]);
}

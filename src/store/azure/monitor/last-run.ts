// The one row that tells how the monitor's last run went, in the table of open logs.
//
// Promise: one request to write it, one to read it; three the first time, when the table is missing. The last writer
// wins: of two runs at the same time the one that ends later is told of.

import { hexKey } from "../../../codec/lexkey.ts";
import { corruptData, StoreError } from "../../../core/errors.ts";
import type { Properties, Row, Table, Write } from "../../../table/port.ts";
import { checkRowFormat, decoder, formatProperty, numberIn } from "../../../table/row-values.ts";
import type { MonitorRun } from "../../monitor-run.ts";
import { asStoreError } from "../instance/failure.ts";

export const lastRunPartition = hexKey("MONITOR");
export const lastRunRow = hexKey("MONITOR", "0");
const format = 1n;

/** Errors: `throttled`, `storage_unavailable`, `internal`. */
export async function writeLastRun(registry: Table, run: MonitorRun): Promise<void> {
  const write: Write = { kind: "upsert", row: lastRunRow, properties: encode(run) };
  try {
    const first = await registry.submit(lastRunPartition, [write]);
    if (first.kind === "done") return;
    await registry.create();
    const second = await registry.submit(lastRunPartition, [write]);
    if (second.kind === "done") return;
    throw new StoreError("storage_unavailable", `The monitor's row was refused: ${second.reason}.`);
  } catch (error) {
    throw asStoreError(error, "none");
  }
}

/** Undefined: no run has ended yet. Errors: those of writing, and `corrupt_data`. */
export async function readLastRun(registry: Table): Promise<MonitorRun | undefined> {
  try {
    const { row } = await registry.get(lastRunPartition, lastRunRow);
    return row === undefined ? undefined : decode(row);
  } catch (error) {
    throw asStoreError(error, "none");
  }
}

function encode({ complete, due, ...logs }: MonitorRun): Properties {
  const { done: dueDone, again: dueAgain, failed: dueFailed, lateMs: dueLateMs, complete: dueComplete } = due;
  const integers = Object.entries({ ...logs, dueDone, dueAgain, dueFailed, dueLateMs }).map(([name, value]) => [
    name,
    BigInt(Math.max(0, Math.floor(value))),
  ]);
  return {
    [formatProperty]: format,
    complete,
    dueComplete,
    ...(Object.fromEntries(integers) as Record<string, bigint>),
  };
}

const decode = decoder((row: Row): MonitorRun => {
  checkRowFormat(row, format, "the monitor's last run");
  const { complete, dueComplete } = row.properties;
  if (typeof complete !== "boolean" || typeof dueComplete !== "boolean")
    throw corruptData("the monitor's last run does not say whether it is complete");
  const number = (name: string): number => numberIn(row, name);
  return {
    ...{ startedAt: number("startedAt"), ms: number("ms"), complete },
    ...{ logs: number("logs"), closed: number("closed") },
    ...{ applied: number("applied"), notified: number("notified"), failed: number("failed") },
    oldestMs: number("oldestMs"),
    due: {
      ...{ done: number("dueDone"), again: number("dueAgain"), failed: number("dueFailed") },
      ...{ lateMs: number("dueLateMs"), complete: dueComplete },
    },
  };
});

// Storage that is emptied, restored or loses a table behind running instances: they begin from what there is.

import { expect, test } from "vitest";
import { noMetadata } from "../../src/core/entry.ts";
import type { LogFields, Logger } from "../../src/core/logger.ts";
import { silentLogger } from "../../src/core/logger.ts";
import type { Telemetry } from "../../src/core/telemetry.ts";
import { silentTelemetry } from "../../src/core/telemetry.ts";
import {
  registryTableName,
  logHeadRow,
  logPartition,
  segmentHeadRow,
  segmentPartition,
  storeTableName,
} from "../../src/store/azure/rows/keys.ts";
import type { Store } from "../../src/store/store.ts";
import { faults } from "../doubles/fault.ts";
import { Lab, neighbours, space, storeId, stuck } from "./lab.ts";

const table = storeTableName("streamkit", storeId);

function observed(): {
  readonly said: string[];
  readonly counted: string[];
  readonly logger: Logger;
  readonly telemetry: Telemetry;
} {
  const said: string[] = [];
  const counted: string[] = [];
  const note = (message: string, fields?: LogFields): void => {
    said.push(`${message} ${String(fields?.["recordsBefore"])} ${String(fields?.["records"])}`);
  };
  const logger = { ...silentLogger, warn: note, error: note };
  const telemetry: Telemetry = {
    ...silentTelemetry,
    record: (metric) => {
      if (metric === "streamkit.storage.went_back") counted.push(metric);
    },
  };
  return { said, counted, logger, telemetry };
}

async function texts(lab: Lab, store: Store): Promise<string[]> {
  const found: string[] = [];
  const read = async (): Promise<void> => {
    for await (const { payload } of store.consumeSpace(space)) found.push(Buffer.from(payload).toString());
  };
  await lab.finish(read());
  return found;
}

test.each([
  ["is emptied", [table, registryTableName("streamkit")]],
  ["loses a store's table", [table]],
])("a space can be written at once when the storage %s, and it is said once", async (_, tables) => {
  const lab = new Lab("emptied");
  const { said, counted, ...told } = observed();
  const { store, factory } = lab.instance(told);
  for (const text of ["a", "b", "c"]) expect((await lab.produce(store, stuck, text)).outcome).toBe("ok");
  await lab.pass(5_000);
  for (const name of tables) lab.account.deleteTable(name);
  for (const text of ["new", "newer"]) expect((await lab.produce(store, stuck, text)).outcome).toBe("ok");
  expect(await texts(lab, store)).toEqual(["new", "newer"]);
  expect((await lab.finish(store.peek(space, stuck)))?.sequence).toBe(2);
  expect(said).toEqual(["the storage went back: what was remembered of the space is forgotten 3 0"]);
  expect(counted).toHaveLength(1);
  await lab.pass(60_000);
  await lab.finish(factory.recover({ deadlineMs: 10_000 }));
  expect(await lab.fsck()).toMatchObject({ findings: [], unapplied: 0, entries: 2 });
});

test.each([1, 2, 3, 4])(
  "instances that remember more go on from a backup that %i records came after",
  async (after) => {
    const lab = new Lab("restored");
    const [one, two] = [lab.instance(), lab.instance()];
    for (const text of ["a", "b"]) await lab.produce(one.store, stuck, text);
    await lab.pass(5_000);
    const backup = lab.account.snapshot();
    for (let more = 0; more < 3; more += 1) await lab.produce(one.store, stuck, "lost");
    await lab.produce(two.store, stuck, "lost too");
    await lab.pass(5_000);
    lab.account.restore(backup);
    // Until the log counts less, the same and more than is remembered: it is another one all the same.
    const cold = lab.instance();
    for (let more = 0; more < after; more += 1) await lab.produce(cold.store, stuck, "new");
    for (const { store } of [one, two]) expect((await lab.produce(store, stuck, "last")).outcome).toBe("ok");
    expect(await texts(lab, two.store)).toEqual([
      "a",
      "b",
      ...Array.from({ length: after }, () => "new"),
      "last",
      "last",
    ]);
    await lab.pass(5_000);
    expect(await lab.fsck()).toMatchObject({ findings: [], unapplied: 0 });
  },
);

test("a produce that waits for what is gone is told unknown, and its segment goes on", async () => {
  const lab = new Lab("waiting");
  const { store } = lab.instance();
  await lab.produce(store, stuck, "a");
  await lab.produce(store, neighbours[0] ?? stuck, "a");
  await lab.pass(5_000);
  const backup = lab.account.snapshot();
  const partition = segmentPartition(space, stuck);
  lab.fault = (request) =>
    request.kind !== "create" && request.partition === partition
      ? faults.failed({ kind: "unavailable" }, 8)
      : undefined;
  const records = [{ payload: Buffer.from("lost"), metadata: noMetadata }];
  const waiting = (async () => {
    for await (const { transaction } of store.produce(space, stuck, records)) expect(transaction).toBeUndefined();
  })().catch((error: unknown) => error);
  await lab.pass(100);
  lab.account.restore(backup);
  expect((await lab.produce(store, neighbours[0] ?? stuck, "b")).outcome).toBe("ok");
  expect(await lab.finish(waiting)).toMatchObject({ code: "storage_unavailable", effect: "unknown" });
  lab.fault = () => undefined;
  expect((await lab.produce(store, stuck, "b")).outcome).toBe("ok");
  expect(await texts(lab, store)).toEqual(["a", "a", "b", "b"]);
});

test("a head whose last record is not there is damage, whatever is remembered", async () => {
  const lab = new Lab("damage");
  const { store } = lab.instance();
  const other = lab.instance();
  await lab.produce(store, stuck, "a");
  await lab.produce(other.store, stuck, "b");
  await lab.pass(5_000);
  const last = lab.account
    .rows(table)
    .findLast(({ partition, row }) => partition === logPartition(space) && row !== logHeadRow(space));
  if (last === undefined) throw new Error("There is no record.");
  await lab.finish(lab.table.submit(last.partition, [{ kind: "delete", row: last.row, ifMatch: "*" }]));
  expect((await lab.produce(store, stuck, "c")).outcome).toBe("corrupt_data");
});

test("a torn copy that is put back behind the running app is made whole by a repair, and warm instances go on from there", async () => {
  const lab = new Lab("torn");
  const [one, two] = [lab.instance(), lab.instance()];
  for (const text of ["a", "b"]) await lab.produce(one.store, stuck, text);
  await lab.pass(5_000);
  const isLogHead = ({ partition, row }: { readonly partition: string; readonly row: string }): boolean =>
    partition === logPartition(space) && row === logHeadRow(space);
  const isSegmentHead = ({ partition, row }: { readonly partition: string; readonly row: string }): boolean =>
    partition === segmentPartition(space, stuck) && row === segmentHeadRow(partition);
  const before = lab.account.rows(table);
  for (const text of ["c", "d"]) await lab.produce(one.store, stuck, text);
  await lab.pass(5_000);
  // Copied row by row: the log's head before the last records were, the segment's head in between.
  const copy = lab.account.snapshot();
  await lab.produce(two.store, neighbours[0] ?? stuck, "after the copy");
  await lab.pass(5_000);
  lab.account.restore(copy);
  for (const isHead of [isLogHead, isSegmentHead]) {
    const head = before.find(isHead);
    if (head === undefined) throw new Error("There is no head.");
    const { partition, properties, row } = head;
    await lab.finish(lab.table.submit(partition, [{ kind: "replace", row, properties, ifMatch: "*" }]));
  }
  expect((await lab.fsck()).findings).not.toEqual([]);
  expect((await lab.fsck("offline")).findings).toEqual([]);
  for (const { store } of [one, two]) expect((await lab.produce(store, stuck, "on")).outcome).toBe("ok");
  expect(await texts(lab, one.store)).toEqual(["a", "b", "c", "d", "on", "on"]);
  await lab.pass(5_000);
  expect(await lab.fsck()).toMatchObject({ findings: [], unapplied: 0 });
});

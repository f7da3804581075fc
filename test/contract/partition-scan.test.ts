// The list of a table's partitions that tools go by, on the emulator: over several pages of the service.

import { randomUUID } from "node:crypto";
import { expect, inject, test } from "vitest";
import { parseConnection } from "../../src/table/connection.ts";
import type { Write } from "../../src/table/port.ts";
import { createPartitionScan, createTableAccount } from "../../src/table/sdk.ts";
import { systemClock, systemRandom } from "../system.ts";

const connection = parseConnection({ AzureWebJobsStorage: inject("azurite") });
const options = { clock: systemClock, random: systemRandom };
const scan = createPartitionScan(connection, options);

async function partitions(name: string): Promise<string[]> {
  const list: string[] = [];
  for await (const partition of scan(name)) list.push(partition);
  return list;
}

test("a scan tells each partition once, in order, also when its rows fill several pages", async () => {
  const name = `scan${randomUUID().replaceAll("-", "")}`;
  const table = createTableAccount(connection, options).table(name);
  await table.create();
  const submit = (partition: string, from: number, count: number): Promise<unknown> => {
    const writes = Array.from({ length: count }, (_, index): Write => {
      return { kind: "insert", row: String(from + index).padStart(6, "0"), properties: { v: 1n } };
    });
    return table.submit(partition, writes);
  };
  for (const partition of ["c1", "a1", "a2"]) await submit(partition, 0, 3);
  for (let from = 0; from < 1_100; from += 100) await submit("b1", from, 100);
  expect(await partitions(name)).toEqual(["a1", "a2", "b1", "c1"]);
});

test("a table that does not exist has no partitions", async () => {
  expect(await partitions(`scan${randomUUID().replaceAll("-", "")}`)).toEqual([]);
});

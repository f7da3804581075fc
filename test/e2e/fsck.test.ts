// `npm run fsck` as it is called: its words, its report, how it ends; on what the app has written.

import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { beforeAll, expect, inject, test } from "vitest";
import { Child } from "../../scripts/local/child.ts";
import { parseSegmentName, parseSpaceName, parseStoreId } from "../../src/core/ids.ts";
import type { FsckReport } from "../../src/store/azure/fsck/fsck.ts";
import {
  blockRow,
  nameRow,
  segmentHeadRow,
  segmentPartition,
  storeTableName,
} from "../../src/store/azure/rows/keys.ts";
import { segmentsPartition } from "../../src/store/azure/rows/keys.ts";
import { parseConnection } from "../../src/table/connection.ts";
import type { Table } from "../../src/table/port.ts";
import { createTableAccount } from "../../src/table/sdk.ts";
import { systemClock, systemRandom } from "../system.ts";
import { StoreCalls } from "../torture/calls.ts";
import { startApp } from "./harness.ts";

const tablePrefix = `fsck${randomUUID().slice(0, 8)}`;
const space = parseSpaceName("orders");
const segment = parseSegmentName("order/1");
const partition = segmentPartition(space, segment);

async function fsck(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: unknown; said: string }> {
  const child = new Child({
    command: process.execPath,
    args: [join(import.meta.dirname, "../../scripts/fsck.ts"), ...args],
    env: {
      PATH: process.env["PATH"],
      HOME: process.env["HOME"],
      AzureWebJobsStorage: inject("azurite"),
      STREAMKIT_TABLE_PREFIX: tablePrefix,
      ...env,
    },
    output: "kept",
  });
  return { code: await child.exited, said: child.output };
}

/** A store with three transactions in one segment, and its table. */
async function written(): Promise<{ readonly store: string; readonly table: Table }> {
  const store = randomUUID();
  const calls = new StoreCalls(appUrl, store);
  for (const text of ["a", "b", "c"]) {
    const answer = await calls.produce(space, segment, { texts: [text] }, { key: randomUUID(), ack: "applied" });
    expect(answer.kind).toBe("ok");
  }
  const connection = parseConnection({ AzureWebJobsStorage: inject("azurite") });
  const account = createTableAccount(connection, { clock: systemClock, random: systemRandom });
  return { store, table: account.table(storeTableName(tablePrefix, parseStoreId(store))) };
}

let appUrl: string;
beforeAll(async () => {
  const app = await startApp({ env: { STREAMKIT_TABLE_PREFIX: tablePrefix } });
  appUrl = app.url;
  return () => app.stop();
});

test("for a sound store it says what the store holds, and ends with 0", async () => {
  const { store } = await written();
  const { code, said } = await fsck(["--store", store]);
  expect(said).toContain(`Store ${store} - spaces: 1, segments: 1, records: 3, entries: 3.`);
  expect(said).toContain("Nothing is wrong.");
  expect(code).toBe(0);
});

test("it names damage in words and ends with 1, after a repair with 0; as JSON it is for programs", async () => {
  const { store, table } = await written();
  await table.submit(partition, [{ kind: "delete", row: blockRow(2), ifMatch: "*" }]);
  await table.submit(segmentsPartition(space), [{ kind: "delete", row: nameRow(segment), ifMatch: "*" }]);

  const found = await fsck(["--store", store]);
  expect(found.said).toContain('space "orders", segment "order/1": entry 2 is missing (I2) [--repair]');
  expect(found.said).toContain('space "orders", segment "order/1": the segment has entries and is not listed (I5)');
  expect(found.code).toBe(1);

  const asJson = await fsck(["--store", store, "--json"]);
  const report = JSON.parse(asJson.said) as FsckReport;
  expect(report.findings.map(({ kind }) => kind)).toEqual(["block_missing", "segment_unlisted"]);
  expect(report).toMatchObject({ store, entries: 3 });
  expect(asJson.code).toBe(1);

  const repaired = await fsck(["--store", store, "--repair"]);
  expect(repaired.said).toContain("repaired: space");
  expect(repaired.said).toContain("Nothing is wrong.");
  expect(repaired.code).toBe(0);
  expect((await fsck(["--store", store])).code).toBe(0);
  const entries = await new StoreCalls(appUrl, store).all(space, segment);
  expect(entries.map(({ payload }) => payload)).toEqual(["a", "b", "c"]);
});

test("rows that running instances may rely on are repaired only with the option that says that none runs", async () => {
  const { store, table } = await written();
  await table.submit(partition, [{ kind: "delete", row: segmentHeadRow(partition), ifMatch: "*" }]);
  const live = await fsck(["--store", store, "--repair"]);
  expect(live.said).toContain("the segment has no head (I6)");
  expect(live.code).toBe(1);
  expect((await fsck(["--store", store, "--repair", "--offline"])).code).toBe(0);
});

test("when it cannot look it says why, and ends with 2", async () => {
  const cases: [string[], Record<string, string>, string][] = [
    [[], {}, "Usage: npm run fsck"],
    [["--store", "orders"], {}, "store: expected a UUID"],
    [["--store", randomUUID(), "--offline"], {}, "--offline goes with --repair"],
    [["--store", randomUUID(), "--fast"], {}, "--fast"],
    [["--store", randomUUID()], {}, "has no events of store"],
    [["--store", randomUUID()], { STREAMKIT_TABLE_PREFIX: "-" }, "STREAMKIT_TABLE_PREFIX"],
    [
      ["--store", randomUUID()],
      {
        AzureWebJobsStorage: inject("azurite").replace(
          /TableEndpoint=http:..127.0.0.1:\d+/,
          "TableEndpoint=http://127.0.0.1:9",
        ),
      },
      "did not answer",
    ],
  ];
  for (const [args, env, said] of cases) {
    const ended = await fsck(args, env);
    expect(ended.said).toContain(said);
    expect(ended.code).toBe(2);
  }
});

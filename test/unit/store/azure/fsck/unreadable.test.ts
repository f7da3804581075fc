// A row that a check cannot read, damaged or of a later format, does not end the check: it is named, left alone where
// it is not this version's, and the rest is reported.

import { describe, expect, test } from "vitest";

import { findingText } from "../../../../../src/store/azure/fsck/finding.ts";
import { contentOfPartition, openLogsPartition, spacesPartition } from "../../../../../src/store/azure/rows/keys.ts";
import { hexKey, uuidPart } from "../../../../../src/codec/lexkey.ts";
import type { Row } from "../../../../../src/table/port.ts";
import { filled, orders, registryName, storeId, tableName, users } from "./stored.ts";
import type { Stored } from "./stored.ts";

/** Rows with something to decode: those of the inventory say all in their keys. */
function decoded(stored: Stored): readonly Row[] {
  return stored.account
    .rows(tableName)
    .filter(({ partition }) => ["log", "segment"].includes(contentOfPartition(partition)?.kind ?? ""));
}

function ofUsers({ partition }: Row): boolean {
  const content = contentOfPartition(partition);
  return content !== undefined && "space" in content && content.space === users;
}

const count = decoded(await filled()).length;

describe.each(Array.from({ length: count }, (_, index) => index))("row %i of a store", (index) => {
  test("of a later format is named, never written, and does not end the check", async () => {
    const stored = await filled();
    const row = decoded(stored)[index];
    if (row === undefined) throw new Error("There are fewer rows.");
    await stored.change(row.partition, row.row, { v: 3n });
    // What else is wrong is found beside it.
    await stored.delete(spacesPartition, hexKey(ofUsers(row) ? orders : users));
    const before = stored.account.rows(tableName).find((one) => one.partition === row.partition && one.row === row.row);
    const report = await stored.fsck("offline");
    expect(report.findings.map(({ kind }) => kind)).toContain("row_newer");
    expect(report.findings.map(findingText).join("\n")).toContain("newer than this version knows (");
    expect(report.repaired.map(({ kind }) => kind)).toContain("space_unlisted");
    expect(report).toMatchObject({ spaces: 2, records: 6 });
    const after = stored.account.rows(tableName).find((one) => one.partition === row.partition && one.row === row.row);
    expect(after).toBe(before);
    await stored.close();
  });

  test("of which no property can be read is named, and does not end the check", async () => {
    const stored = await filled();
    const row = decoded(stored)[index];
    if (row === undefined) throw new Error("There are fewer rows.");
    const nothing = Object.fromEntries(Object.keys(row.properties).map((name) => [name, "nonsense"]));
    await stored.change(row.partition, row.row, nothing);
    await stored.delete(spacesPartition, hexKey(ofUsers(row) ? orders : users));
    const { findings } = await stored.fsck();
    expect(findings.length).toBeGreaterThan(1);
    expect(findings).toContainEqual(expect.objectContaining({ kind: "space_unlisted" }));
    await stored.close();
  });
});

test("a head of a later format says nothing against its segments and names", async () => {
  const stored = await filled();
  const head = decoded(stored).find((row) => ofUsers(row) && row.properties["apply"] !== undefined);
  if (head === undefined) throw new Error("There is no head.");
  await stored.change(head.partition, head.row, { v: 3n });
  const report = await stored.fsck();
  expect(report.findings.map(({ kind, space }) => [kind, space])).toEqual([["row_newer", users]]);
  expect(report).toMatchObject({ segments: 3, unapplied: 0, oldestPendingMs: 0 });
  await stored.close();
});

test("keys that are no names are named, in the list of open logs and among the partitions", async () => {
  const stored = await filled();
  const bad = `${hexKey(uuidPart(storeId))}00ff`;
  await stored.registry.submit(openLogsPartition, [{ kind: "insert", row: bad, properties: { v: 1n } }]);
  const partition = hexKey("DAT", "SPACES", Buffer.from([0xff]));
  await stored.table.submit(partition, [{ kind: "insert", row: "00", properties: { v: 1n } }]);
  const report = await stored.fsck();
  expect(report.findings.map(({ kind }) => kind)).toEqual(["row_unknown", "row_unknown"]);
  expect(report.findings.map(findingText).join("\n")).toContain(bad);
  expect(report).toMatchObject({ spaces: 2, segments: 3, entries: 9 });
  expect(stored.account.rows(registryName).map(({ row }) => row)).toContain(bad);
  await stored.close();
});

test("a block that does not tell where it begins leaves no gap, and is rebuilt", async () => {
  const stored = await filled();
  const block = decoded(stored).find(
    (row) => contentOfPartition(row.partition)?.kind === "segment" && "d00" in row.properties,
  );
  if (block === undefined) throw new Error("There is no block.");
  await stored.change(block.partition, block.row, { f: "first" });
  expect((await stored.fsck()).findings.map(({ kind }) => kind)).toEqual(["block_unreadable"]);
  expect((await stored.fsck("live")).findings).toEqual([]);
  await stored.close();
});

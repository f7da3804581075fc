// What a local server keeps in a folder.

import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Row } from "../../../src/table/port.ts";
import { SimulatedAccount } from "../../../test/doubles/simulated-table.ts";
import { VirtualClock } from "../../../test/virtual-clock.ts";
import { openJournal } from "../src/local/journal.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "streamkit-journal-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const journal = (): string => join(folder, "tables.journal");

interface Opened {
  readonly account: SimulatedAccount;
  readonly close: () => void;
}

function open(): Opened {
  const account = new SimulatedAccount({ clock: new VirtualClock() });
  const kept = openJournal(folder, account);
  return { account, close: () => kept.close() };
}

async function write({ account }: Opened, row: string, text: string): Promise<void> {
  const table = account.table("events");
  await table.create();
  const properties = { text, count: 7n, there: true, bytes: new Uint8Array([0, 255]) };
  await table.submit("p", [{ kind: "upsert", row, properties }]);
}

const texts = (rows: readonly Row[]) => rows.map(({ row, properties }) => [row, properties["text"]]);

test("the next start finds the rows as they were, with their ETags, and gives none of these again", async () => {
  const first = open();
  await write(first, "b", "old");
  await write(first, "a", "new");
  await write(first, "b", "new");
  await first.account.table("events").submit("p", [{ kind: "delete", row: "a", ifMatch: "*" }]);
  await write(first, "c", "new");
  const left = first.account.rows("events");
  first.close();

  const second = open();
  expect(second.account.rows("events")).toEqual(left);
  expect(texts(left)).toEqual([
    ["b", "new"],
    ["c", "new"],
  ]);
  await write(second, "d", "later");
  const etags = second.account.rows("events").map((row) => row.etag);
  expect(new Set(etags).size).toBe(3);
  second.close();
});

test("a write that the process died in is there whole or not at all, wherever it was cut", async () => {
  const first = open();
  await write(first, "a", "kept");
  const whole = statSync(journal()).size;
  await write(first, "b", "cut");
  first.close();
  const all = readFileSync(journal());
  for (let size = whole; size < all.length; size += 1) {
    writeFileSync(journal(), all);
    truncateSync(journal(), size);
    const next = open();
    expect(texts(next.account.rows("events"))).toEqual([["a", "kept"]]);
    await write(next, "c", "after");
    next.close();
    const last = open();
    expect(texts(last.account.rows("events"))).toEqual([
      ["a", "kept"],
      ["c", "after"],
    ]);
    last.close();
  }
});

test("a record that was damaged is the end of what is read", async () => {
  const first = open();
  await write(first, "a", "kept");
  const whole = statSync(journal()).size;
  await write(first, "b", "damaged");
  first.close();
  const bytes = readFileSync(journal());
  bytes[whole + 12] = (bytes[whole + 12] ?? 0) ^ 1;
  writeFileSync(journal(), bytes);
  const next = open();
  expect(texts(next.account.rows("events"))).toEqual([["a", "kept"]]);
  next.close();
});

test("a file that is mostly history is rewritten with what is left of it", async () => {
  const first = open();
  for (let turn = 0; turn < 1_100; turn += 1) await write(first, "a", `turn ${turn}`);
  first.close();
  const before = statSync(journal()).size;
  const next = open();
  expect(statSync(journal()).size).toBeLessThan(before / 100);
  expect(texts(next.account.rows("events"))).toEqual([["a", "turn 1099"]]);
  next.close();
});

test("a folder that a living process uses is refused; one that a dead process left is taken", () => {
  const first = open();
  expect(open).toThrow(
    `The folder ${folder} is in use by process ${process.pid}: stop that, or choose another folder.`,
  );
  first.close();
  // No process has this number: it is above what Linux gives.
  appendFileSync(join(folder, "in-use-by"), "4194305");
  open().close();
});

// What every side of the table port promises, as claims: the simulated table is only worth something because the
// service's emulator passes the same ones.

import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import type { Page, Row, Table, TableAccount, Write } from "../../src/table/port.ts";

const text = (length: number): string => "x".repeat(length);
const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => (index * 31) % 256);
const insert = (row: string, n = 0n): Write => ({ kind: "insert", row, properties: { n } });

/** A fresh name, and so a fresh table: queries of the emulator cost by the rows of the table. */
export function newTableName(): string {
  return `t${randomUUID().replaceAll("-", "")}`;
}

export function tableContract(account: TableAccount): void {
  const missingTable = (): Table => account.table(newTableName());
  const newTable = async (): Promise<Table> => {
    const table = missingTable();
    await table.create();
    return table;
  };
  const etagOf = async (table: Table, row: string): Promise<string> => {
    const { row: found } = await table.get("p", row);
    return found!.etag;
  };
  const keysOf = async (table: Table, partition = "p"): Promise<string[]> => {
    const page = await table.query({ partition, from: "", to: "~" });
    return page.rows.map((row) => row.row);
  };

  test("the names of tables between two are told in order, neither of the two among them", async () => {
    const base = newTableName();
    const names = ["a", "b", "c", "d"].map((end) => base + end);
    for (const name of names) await account.table(name).create();
    const [a, b, c, d] = names;
    const told = async (after: string, before: string): Promise<string[]> => {
      const found: string[] = [];
      for await (const name of account.tableNames(after, before)) found.push(name);
      return found;
    };
    expect(await told(a!, d!)).toEqual([b, c]);
    expect(await told(base, `${base}z`)).toEqual(names);
    await account.table(b!).remove();
    expect(await told(base, `${base}z`)).toEqual([a, c, d]);
    expect(await told(d!, `${base}z`)).toEqual([]);
  });

  test("a row comes back as it was written", async () => {
    const table = await newTable();
    const properties = {
      text: 'quotes " and \\, a line\nbreak, CR \r, \u2028, \u0085, ümläut, 🎈, --batch_x, <&>, {}',
      empty: "",
      smallest: -(2n ** 63n),
      largest: 2n ** 63n - 1n,
      yes: true,
      no: false,
      binary: bytes(1000),
      nothing: new Uint8Array(0),
    };
    const result = await table.submit("p", [{ kind: "insert", row: "r", properties }]);
    expect(result.kind).toBe("done");
    const { row, serviceTime } = await table.get("p", "r");
    expect(row).toMatchObject({ partition: "p", row: "r", properties });
    expect(Object.keys(row!.properties).sort()).toEqual(Object.keys(properties).sort());
    expect(result).toMatchObject({ etags: [row!.etag] });
    // A Timestamp is finer than a Date.
    expect(Math.abs(serviceTime - row!.writtenAt)).toBeLessThan(5_000);
    expect(serviceTime % 1_000).toBe(0);
  });

  test("a row comes back the same alone and in a batch, by get and by query", async () => {
    const table = await newTable();
    const properties = {
      text: 'a "b" \u2029 ümläut 🎈\r\n\r\n--changesetresponse_1',
      binary: bytes(70),
      n: 7n,
      yes: true,
    };
    await table.submit("p", [
      { kind: "insert", row: "a", properties },
      { kind: "upsert", row: "b", properties },
    ]);
    const page = await table.query({ partition: "p", from: "a", to: "b" });
    expect(page.rows.map((row) => row.properties)).toEqual([properties, properties]);
    expect((await table.get("p", "b")).row).toEqual(page.rows[1]);
  });

  test("keys with quotes, spaces, percent signs and emoji name their row", async () => {
    const table = await newTable();
    for (const key of ["it's", "a b", "50%", "100%25", "🎈", "a&b=c+d;e,f", "(x)='y'", "日本"]) {
      await table.submit(key, [{ kind: "insert", row: key, properties: { key } }]);
      await table.submit(key, [
        { kind: "upsert", row: key, properties: { key, twice: true } },
        { kind: "insert", row: `${key}2`, properties: {} },
      ]);
      expect((await table.get(key, key)).row).toMatchObject({
        partition: key,
        row: key,
        properties: { key, twice: true },
      });
      expect((await table.query({ partition: key, from: key, to: key })).rows).toHaveLength(1);
    }
  });

  test("what is missing is undefined or empty: a row, a partition, a table", async () => {
    const table = await newTable();
    expect((await table.get("p", "r")).row).toBeUndefined();
    expect(await table.query({ partition: "p", from: "", to: "~" })).toMatchObject({
      rows: [],
      continuation: undefined,
    });
    expect((await missingTable().get("p", "r")).row).toBeUndefined();
    const page = await missingTable().query({ partition: "p", from: "", to: "~" });
    expect(page).toMatchObject({ rows: [], continuation: undefined });
    expect(page.serviceTime).toBeGreaterThan(0);
  });

  test("creating a table twice is creating it once", async () => {
    const table = await newTable();
    await table.submit("p", [insert("r")]);
    await table.create();
    expect(await keysOf(table)).toEqual(["r"]);
  });

  test("a table that was removed is an empty one, and removing it twice is removing it once", async () => {
    const table = await newTable();
    await table.submit("p", [insert("r")]);
    await table.remove();
    await table.remove();
    expect(await keysOf(table)).toEqual([]);
    expect(await table.submit("p", [insert("r")])).toMatchObject({ kind: "refused", reason: "table_missing" });
  });

  test("writes to a missing table are refused as that, alone and in a batch", async () => {
    const table = missingTable();
    const refused = { kind: "refused", reason: "table_missing", index: 0 };
    expect(await table.submit("p", [insert("a")])).toMatchObject(refused);
    expect(await table.submit("p", [{ kind: "upsert", row: "a", properties: {} }])).toMatchObject(refused);
    expect(await table.submit("p", [insert("a"), insert("b")])).toMatchObject(refused);
  });

  test.each([
    ["alone", [] as Write[]],
    ["in a batch", [insert("other1"), insert("other2")]],
  ])("each condition is refused by its name and index, %s", async (_, before) => {
    const table = await newTable();
    await table.submit("p", [insert("there")]);
    const old = await etagOf(table, "there");
    await table.submit("p", [{ kind: "upsert", row: "there", properties: { n: 1n } }]);
    const refuses = async (write: Write, reason: string): Promise<void> => {
      const result = await table.submit("p", [...before, write]);
      expect(result).toMatchObject({ kind: "refused", reason, index: before.length });
    };
    await refuses(insert("there"), "exists");
    await refuses({ kind: "replace", row: "there", properties: {}, ifMatch: old }, "changed");
    await refuses({ kind: "delete", row: "there", ifMatch: old }, "changed");
    await refuses({ kind: "replace", row: "absent", properties: {}, ifMatch: old }, "missing");
    await refuses({ kind: "delete", row: "absent", ifMatch: old }, "missing");
    expect(await keysOf(table)).toEqual(["there"]);
    expect((await table.get("p", "there")).row!.properties).toEqual({ n: 1n });
  });

  test.each([
    ["alone", [] as Write[]],
    ["in a batch", [{ kind: "upsert", row: "other", properties: {} }] as Write[]],
  ])("a write under the current ETag is done and gives the next one, %s", async (_, before) => {
    const table = await newTable();
    const done = async (write: Write): Promise<string | undefined> => {
      const result = await table.submit("p", [...before, write]);
      if (result.kind === "refused") throw new Error(result.reason);
      expect(result.etags).toHaveLength(before.length + 1);
      return result.etags.at(-1);
    };
    const first = (await done(insert("r")))!;
    const second = (await done({ kind: "replace", row: "r", properties: { a: true }, ifMatch: first }))!;
    expect(second).not.toBe(first);
    const third = (await done({ kind: "upsert", row: "r", properties: { b: true } }))!;
    expect(third).not.toBe(second);
    expect(await etagOf(table, "r")).toBe(third);
    // Replaced, not merged.
    expect((await table.get("p", "r")).row!.properties).toEqual({ b: true });
    expect(await done({ kind: "delete", row: "r", ifMatch: third })).toBeUndefined();
    expect((await table.get("p", "r")).row).toBeUndefined();
    expect(await done(insert("r"))).not.toBe(first);
  });

  test("a batch does all of its kinds at once, each ETag at its index", async () => {
    const table = await newTable();
    await table.submit("p", [insert("gone"), insert("replaced")]);
    const result = await table.submit("p", [
      { kind: "delete", row: "gone", ifMatch: await etagOf(table, "gone") },
      { kind: "insert", row: "new", properties: { n: 1n } },
      { kind: "replace", row: "replaced", properties: { n: 2n }, ifMatch: await etagOf(table, "replaced") },
      { kind: "upsert", row: "put", properties: { n: 3n } },
    ]);
    expect(await keysOf(table)).toEqual(["new", "put", "replaced"]);
    expect(result).toMatchObject({
      kind: "done",
      etags: [undefined, await etagOf(table, "new"), await etagOf(table, "replaced"), await etagOf(table, "put")],
    });
  });

  test("a refused batch leaves nothing, wherever in it the refusal is", async () => {
    const table = await newTable();
    await table.submit("p", [insert("m")]);
    for (const refusedAt of [0, 1, 2]) {
      const writes = [insert("a"), insert("b")];
      writes.splice(refusedAt, 0, insert("m"));
      expect(await table.submit("p", writes)).toMatchObject({ kind: "refused", reason: "exists", index: refusedAt });
    }
    expect(await keysOf(table)).toEqual(["m"]);
  });

  test("a hundred writes are one submit, refused at the last or done", async () => {
    const table = await newTable();
    const writes = Array.from({ length: 99 }, (_, index) =>
      insert(`r${String(index).padStart(3, "0")}`, BigInt(index)),
    );
    await table.submit("p", [insert("taken")]);
    expect(await table.submit("p", [...writes, insert("taken")])).toMatchObject({ reason: "exists", index: 99 });
    const result = await table.submit("p", [...writes, insert("z")]);
    expect(result.kind === "done" && result.etags.filter((etag) => etag !== undefined)).toHaveLength(100);
    expect(await keysOf(table)).toHaveLength(101);
  });

  test("of writers under the same ETag one wins", async () => {
    const table = await newTable();
    await table.submit("p", [insert("head")]);
    const ifMatch = await etagOf(table, "head");
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        table.submit("p", [
          { kind: "replace", row: "head", properties: { n: BigInt(index) }, ifMatch },
          insert(`record${index}`, BigInt(index)),
        ]),
      ),
    );
    expect(results.filter((result) => result.kind === "done")).toHaveLength(1);
    const winner = BigInt(results.findIndex((result) => result.kind === "done"));
    const { rows } = await table.query({ partition: "p", from: "head", to: "record9" });
    expect(rows.map((row) => row.properties)).toEqual([{ n: winner }, { n: winner }]);
  });

  test("a range is of one partition, both ends included, in ordinal order", async () => {
    const table = await newTable();
    const keys = ["b", "B", "a", "Z", "aa", "1", "10", "2", "_", "~"];
    for (const key of keys) await table.submit("p", [insert(key)]);
    await table.submit("q", [insert("b")]);
    expect(await keysOf(table)).toEqual([...keys].sort());
    const range = await table.query({ partition: "p", from: "10", to: "a" });
    expect(range.rows.map((row) => row.row)).toEqual(["10", "2", "B", "Z", "_", "a"]);
    expect((await table.query({ partition: "p", from: "b", to: "a" })).rows).toEqual([]);
  });

  test("pages of a range are the range, none longer than asked", async () => {
    const table = await newTable();
    const keys = Array.from({ length: 25 }, (_, index) => String(index).padStart(2, "0"));
    await table.submit(
      "p",
      keys.map((key) => insert(key)),
    );
    const rows: Row[] = [];
    let page: Page | undefined;
    do {
      page = await table.query(
        { partition: "p", from: "03", to: "22" },
        { top: 6, ...(page?.continuation === undefined ? {} : { continuation: page.continuation }) },
      );
      expect(page.rows.length).toBeLessThanOrEqual(6);
      rows.push(...page.rows);
    } while (page.continuation !== undefined);
    expect(rows.map((row) => row.row)).toEqual(keys.slice(3, 23));
  });

  test("a row appended between two pages is in the second", async () => {
    const table = await newTable();
    await table.submit(
      "p",
      ["1", "2", "3"].map((key) => insert(key)),
    );
    const range = { partition: "p", from: "", to: "9" };
    const first = await table.query(range, { top: 2 });
    await table.submit("p", [insert("4")]);
    const second = await table.query(range, { continuation: first.continuation! });
    expect(second.rows.map((row) => row.row)).toEqual(["3", "4"]);
  });

  test("a selection leaves the others out and keeps keys, ETag and time", async () => {
    const table = await newTable();
    await table.submit("p", [{ kind: "insert", row: "r", properties: { a: "1", b: bytes(3), c: 3n } }]);
    const select = ["b", "absent"];
    const whole = (await table.get("p", "r")).row!;
    const expected = { ...whole, properties: { b: bytes(3) } };
    expect((await table.get("p", "r", { select })).row).toEqual(expected);
    expect((await table.query({ partition: "p", from: "r", to: "r" }, { select })).rows).toEqual([expected]);
  });

  test("what was read or written does not change with the caller's buffers", async () => {
    const table = await newTable();
    const data = bytes(10);
    const submitted = table.submit("p", [{ kind: "insert", row: "r", properties: { data } }]);
    data.fill(0);
    await submitted;
    const read = (await table.get("p", "r")).row!.properties["data"] as Uint8Array;
    expect(read).toEqual(bytes(10));
    read.fill(0);
    expect((await table.get("p", "r")).row!.properties["data"]).toEqual(bytes(10));
  });

  test("entities of nearly a mebibyte and batches of nearly four are kept", async () => {
    const table = await newTable();
    const block = Object.fromEntries(Array.from({ length: 15 }, (_, index) => [`d${index}`, bytes(60 * 1024)]));
    await table.submit("p", [{ kind: "insert", row: "alone", properties: block }]);
    await table.submit("p", [
      insert("head"),
      ...["a", "b", "c"].map((row): Write => ({ kind: "insert", row, properties: block })),
    ]);
    const page = await table.query({ partition: "p", from: "a", to: "c" });
    expect(page.rows.map((row) => row.row)).toEqual(["a", "alone", "b", "c"].slice(0, page.rows.length));
    expect(page.rows[0]!.properties).toEqual(block);
  });

  test.each<[string, string, readonly Write[], string]>([
    ["no writes", "p", [], "rejected"],
    ["101 writes", "p", Array.from({ length: 101 }, (_, index) => insert(String(index))), "too_large"],
    ["the same row twice", "p", [insert("a"), insert("a")], "rejected"],
    ["a key too long", "p", [insert(text(513))], "too_large"],
    ["a key with a slash", "p/q", [insert("a")], "rejected"],
    ["a property too long", "p", [{ kind: "insert", row: "a", properties: { d: bytes(65_537) } }], "too_large"],
  ])("%s are refused before they are sent", async (_, partition, writes, kind) => {
    await expect(missingTable().submit(partition, writes)).rejects.toMatchObject({
      name: "TableFailure",
      kind,
      effect: "none",
    });
  });

  test("a request that was given up before it began is not made", async () => {
    const table = await newTable();
    const signal = AbortSignal.abort(new Error("enough"));
    const failure = { name: "TableFailure", kind: "aborted", effect: "none" };
    await expect(table.submit("p", [insert("r")], { signal })).rejects.toMatchObject(failure);
    await expect(table.get("p", "r", { signal })).rejects.toMatchObject(failure);
    await expect(table.query({ partition: "p", from: "", to: "~" }, { signal })).rejects.toMatchObject(failure);
    expect(await keysOf(table)).toEqual([]);
  });

  test("a write that is given up on the way may have happened; a read cannot", async () => {
    const table = await newTable();
    const giveUp = new AbortController();
    const write = table.submit("p", [insert("r")], { signal: giveUp.signal });
    const read = table.get("p", "r", { signal: giveUp.signal });
    giveUp.abort(new Error("enough"));
    await expect(write).rejects.toMatchObject({ kind: "aborted", effect: "unknown" });
    await expect(read).rejects.toMatchObject({ kind: "aborted", effect: "none" });
  });

  test("a name that no table can have is refused without a request", () => {
    for (const name of ["", "ab", "1abc", "a-b-c", "x".repeat(64)]) {
      expect(() => account.table(name)).toThrow(expect.objectContaining({ kind: "rejected" }));
    }
  });
}

// What the simulated table adds to the claims of the port: faults of requests, and what checkers see.

import fc from "fast-check";
import { expect, test } from "vitest";
import { faults, type Fault } from "../../doubles/fault.ts";
import { TableFailure, type Page, type Table, type Write } from "../../../src/table/port.ts";
import type { EffectiveWrite } from "../../doubles/simulated-service.ts";
import { SimulatedAccount, type SimulatedRequest } from "../../doubles/simulated-table.ts";
import { VirtualClock } from "../../virtual-clock.ts";

const range = { partition: "p", from: "", to: "~" };
const put = (row: string, n = 0n): Write => ({ kind: "upsert", row, properties: { n } });
const insert = (row: string): Write => ({ kind: "insert", row, properties: {} });

interface World {
  readonly clock: VirtualClock;
  readonly account: SimulatedAccount;
  readonly table: Table;
  readonly requests: SimulatedRequest[];
  /** The faults of the next requests, in turn. */
  readonly next: (...faults: (Fault | undefined)[]) => void;
  readonly rows: () => string[];
}

async function world(): Promise<World> {
  const clock = new VirtualClock();
  const requests: SimulatedRequest[] = [];
  const planned: (Fault | undefined)[] = [];
  const account = new SimulatedAccount({ clock });
  const table = account.table("ttt");
  await table.create();
  account.follow((request) => {
    requests.push(request);
    return planned.shift();
  });
  return {
    clock,
    account,
    table,
    requests,
    next: (...next) => planned.push(...next),
    rows: () => account.rows("ttt").map((row) => row.row),
  };
}

function outcomeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "answered",
    (error: unknown) => (error instanceof TableFailure ? `${error.kind}, ${error.effect}` : String(error)),
  );
}

/** What has become of a promise by now. */
function stateOf(promise: Promise<unknown>): Promise<string> {
  const waiting = new Promise<string>((resolve) => setImmediate(() => resolve("waiting")));
  return Promise.race([outcomeOf(promise), waiting]);
}

test("without a plan everything is answered in microtasks, in the order it was asked", async () => {
  const { table } = await world();
  const order: string[] = [];
  const done = Promise.all([
    table.submit("p", [put("a")]).then(() => order.push("a")),
    table.get("p", "a").then(({ row }) => order.push(`read ${row?.row}`)),
    table.submit("p", [put("b")]).then(() => order.push("b")),
  ]);
  // A timer or an event would come after this.
  for (let tick = 0; tick < 20; tick++) await Promise.resolve();
  expect(order).toEqual(["a", "read a", "b"]);
  await done;
});

test("a slow request takes effect when it arrives, and is answered later", async () => {
  const { clock, table, next, rows } = await world();
  next(faults.answered(10, 5));
  const answer = table.submit("p", [put("a")]);
  await clock.pass(9);
  expect(rows()).toEqual([]);
  await clock.pass(1);
  expect(rows()).toEqual(["a"]);
  expect(await stateOf(answer)).toBe("waiting");
  await clock.pass(5);
  expect(await stateOf(answer)).toBe("answered");
});

test.each<[string, Fault, string, string[]]>([
  ["fails without effect", faults.failed({ kind: "unavailable" }, 10), "unavailable, unknown", []],
  ["is denied", faults.failed({ kind: "denied" }, 10), "denied, none", []],
  ["is throttled", faults.throttled(10, 100), "throttled, unknown", []],
  ["has its answer lost", faults.answerLost(5, 10), "unavailable, unknown", ["a"]],
  ["times out before it arrives", faults.timedOut(10), "timeout, unknown", []],
  ["times out after it took effect", faults.timedOut(10, 5), "timeout, unknown", ["a"]],
])("a write that %s", async (_, fault, toldThen, rowsThen) => {
  const { clock, table, next, rows } = await world();
  next(fault);
  const told = outcomeOf(table.submit("p", [put("a")]));
  await clock.pass(10);
  expect(rows()).toEqual(rowsThen);
  expect(await told).toBe(toldThen);
  await clock.pass(100_000);
  expect(rows()).toEqual(rowsThen);
});

test("a write that lands late does so after its caller was told of the time-out", async () => {
  const { clock, table, next, rows } = await world();
  next(faults.timedOut(10, 10.5));
  const told = outcomeOf(table.submit("p", [put("a")]));
  await clock.pass(10);
  expect(await told).toBe("timeout, unknown");
  expect(rows()).toEqual([]);
  await clock.pass(0.5);
  expect(rows()).toEqual(["a"]);
});

test("a late write is judged by what is there when it lands", async () => {
  const { clock, table, next, account } = await world();
  next(faults.timedOut(10, 20));
  await Promise.all([
    expect(table.submit("p", [insert("a")])).rejects.toMatchObject({ kind: "timeout" }),
    clock.pass(15),
  ]);
  await table.submit("p", [put("a", 7n)]);
  await clock.pass(100);
  expect(account.rows("ttt").map((row) => row.properties)).toEqual([{ n: 7n }]);
});

test("a write that is given up may land all the same", async () => {
  const { clock, table, next, rows } = await world();
  next(faults.answered(10, 0));
  const giveUp = new AbortController();
  const answer = table.submit("p", [put("a")], { signal: giveUp.signal });
  giveUp.abort(new Error("enough"));
  await expect(answer).rejects.toMatchObject({ kind: "aborted", effect: "unknown" });
  expect(rows()).toEqual([]);
  await clock.pass(10);
  expect(rows()).toEqual(["a"]);
});

test("a repeated write is answered as its second arrival is: a success is told as a refusal", async () => {
  const { clock, table, next, account } = await world();
  const effects: EffectiveWrite[] = [];
  account.observe((write) => effects.push(write));
  next(faults.repeated(1, 2, 0), faults.repeated(1, 2, 0));
  const answer = table.submit("p", [insert("a")]);
  await clock.pass(2);
  expect(await answer).toMatchObject({ kind: "refused", reason: "exists", index: 0 });
  expect(effects).toHaveLength(1);
  const twice = table.submit("p", [put("a")]);
  await clock.pass(2);
  expect(await twice).toMatchObject({ kind: "done", etags: [account.rows("ttt")[0]!.etag] });
  expect(effects).toHaveLength(3);
});

test("a page may be short, or empty, and still have a continuation, at the end as well", async () => {
  const { table, next } = await world();
  await table.submit("p", [put("a"), put("b")]);
  next(faults.cut(1, 0, 0), faults.cut(0, 0, 0), faults.cut(1, 0, 0), undefined);
  const rows: string[][] = [];
  let page: Page | undefined;
  do {
    page = await table.query(range, page?.continuation === undefined ? {} : { continuation: page.continuation });
    rows.push(page.rows.map((row) => row.row));
  } while (page.continuation !== undefined);
  expect(rows).toEqual([["a"], [], ["b"], []]);
});

test("a page of big rows ends at 4 MiB, with a continuation", async () => {
  const { table } = await world();
  const properties = Object.fromEntries(
    Array.from({ length: 15 }, (_, index) => [`d${index}`, new Uint8Array(65_000)]),
  );
  for (const row of ["a", "b", "c", "d", "e"]) await table.submit("p", [{ kind: "insert", row, properties }]);
  const first = await table.query(range);
  expect(first.rows.map((row) => row.row)).toEqual(["a", "b", "c", "d"]);
  const second = await table.query(range, { continuation: first.continuation! });
  expect(second.rows.map((row) => row.row)).toEqual(["e"]);
  // What is not selected does not count.
  expect((await table.query(range, { select: ["d0"] })).rows).toHaveLength(5);
});

test("each page is a snapshot of its own, and the continuation is the next key as it was", async () => {
  const { table } = await world();
  await table.submit("p", [put("a"), put("c"), put("z")]);
  const first = await table.query(range, { top: 2 });
  await table.submit("p", [put("b"), put("d"), put("zz")]);
  const second = await table.query(range, { continuation: first.continuation! });
  expect(second.rows.map((row) => row.row)).toEqual(["z", "zz"]);
});

test("an instance that crashes hears nothing, what it sent lands, what it sends does not", async () => {
  const { clock, account, next, rows } = await world();
  const client = account.connect("one");
  const table = client.table("ttt");
  next(faults.answered(10, 10), faults.answered(15, 0));
  const inFlight = table.submit("p", [put("a")]);
  const late = table.submit("p", [put("b")]);
  await clock.pass(12);
  client.crash();
  const after = table.submit("p", [put("c")]);
  await clock.pass(100);
  expect(rows()).toEqual(["a", "b"]);
  expect(await Promise.all([inFlight, late, after].map(stateOf))).toEqual(["waiting", "waiting", "waiting"]);
  await account
    .connect("two")
    .table("ttt")
    .submit("p", [put("d")]);
  expect(rows()).toEqual(["a", "b", "d"]);
});

test("a dropped request is never heard of, whether it arrived or not", async () => {
  const { clock, table, next, rows } = await world();
  next(faults.dropped(), faults.dropped(5));
  const answers = [table.submit("p", [put("a")]), table.submit("p", [put("b")])];
  await clock.pass(100_000);
  expect(rows()).toEqual(["b"]);
  expect(await Promise.all(answers.map(stateOf))).toEqual(["waiting", "waiting"]);
});

test("a plan sees who asks for what, once for each request", async () => {
  const { account, requests } = await world();
  const table = account.connect("one").table("ttt");
  await table.submit("p", [put("a")]);
  await table.get("p", "a");
  await table.query(range, { top: 3 });
  await table.create();
  expect(requests).toMatchObject([
    { number: 2, client: "one", kind: "submit", table: "ttt", partition: "p", writes: [put("a")] },
    { number: 3, client: "one", kind: "get", partition: "p", row: "a" },
    { number: 4, client: "one", kind: "query", partition: "p", range, options: { top: 3 } },
    { number: 5, client: "one", kind: "create", table: "ttt" },
  ]);
});

test("a plan that lies is refused: an answer to what never arrives, no effect of what does", async () => {
  const { table, next } = await world();
  next({ arrivesAtMs: [], outcome: { kind: "answer", afterMs: 0 } });
  await expect(table.get("p", "a")).rejects.toThrow(RangeError);
  next({ arrivesAtMs: [1], outcome: { kind: "failure", atMs: 1, failure: { kind: "throttled", effect: "none" } } });
  await expect(table.submit("p", [put("a")])).rejects.toThrow(RangeError);
});

test("observers see each effective write at once, with what was there before", async () => {
  const { table, account, clock } = await world();
  const effects: EffectiveWrite[] = [];
  const stop = account.observe((write) => {
    expect(account.rows("ttt").map((row) => row.etag)).toEqual(write.changes.map((change) => change.after?.etag));
    effects.push(write);
  });
  await table.submit("p", [put("a", 1n)]);
  const { row } = await table.get("p", "a");
  await table.submit("p", [{ kind: "replace", row: "a", properties: { n: 2n }, ifMatch: row!.etag }]);
  await table.submit("p", [insert("a")]);
  stop();
  await table.submit("p", [put("a", 3n)]);
  expect(effects).toMatchObject([
    { number: 2, client: "", partition: "p", at: clock.now(), changes: [{ row: "a", before: undefined }] },
    { number: 4, changes: [{ row: "a", before: { properties: { n: 1n } }, after: { properties: { n: 2n } } }] },
  ]);
});

test("time is the service's: Timestamp in milliseconds, Date in seconds", async () => {
  const clock = new VirtualClock(Date.UTC(2030, 0, 1) + 1_999);
  const table = new SimulatedAccount({ clock }).table("ttt");
  await table.create();
  await table.submit("p", [put("a")]);
  const { row, serviceTime } = await table.get("p", "a");
  expect(row!.writtenAt).toBe(clock.now());
  expect(serviceTime).toBe(Date.UTC(2030, 0, 1) + 1_000);
});

test("a deleted table is missing; while it is being deleted its name is unavailable", async () => {
  const { clock, account, table } = await world();
  await table.submit("p", [put("a")]);
  account.deleteTable("ttt", 40_000);
  const failure = { kind: "unavailable", effect: "none", retryAfterMs: 40_000 };
  await expect(table.create()).rejects.toMatchObject(failure);
  await expect(table.submit("p", [put("a")])).rejects.toMatchObject(failure);
  await expect(table.get("p", "a")).rejects.toMatchObject(failure);
  await clock.pass(40_000);
  expect(await table.submit("p", [put("a")])).toMatchObject({ reason: "table_missing" });
  await table.create();
  expect((await table.query(range)).rows).toEqual([]);
  expect(account.tables()).toEqual(["ttt"]);
});

test("names of tables differ by more than case", async () => {
  const { account, table } = await world();
  await table.submit("p", [put("a")]);
  expect((await account.table("TTT").get("p", "a")).row?.row).toBe("a");
});

test("any sequence of writes leaves what a plain map would hold, in order", async () => {
  const anyKey = fc.string({ unit: fc.constantFrom("a", "B", "z", "~", "é", "🎈", "\uff5e"), maxLength: 3 });
  const anyStep = fc.record({
    kind: fc.constantFrom("insert" as const, "upsert" as const, "replace" as const, "delete" as const),
    key: anyKey,
    fresh: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { maxLength: 60 }), anyKey, anyKey, async (steps, from, to) => {
      const { table } = await world();
      const model = new Map<string, string>();
      for (const { kind, key, fresh } of steps) {
        const held = model.get(key);
        const ifMatch = fresh && held !== undefined ? held : 'W/"other"';
        const write: Write =
          kind === "delete"
            ? { kind, row: key, ifMatch }
            : kind === "replace"
              ? { kind, row: key, ifMatch, properties: {} }
              : { kind, row: key, properties: {} };
        const expected =
          kind === "upsert" || (kind === "insert" ? held === undefined : held !== undefined && fresh)
            ? "done"
            : kind === "insert"
              ? "exists"
              : held === undefined
                ? "missing"
                : "changed";
        const result = await table.submit("p", [write]);
        expect(result.kind === "done" ? "done" : result.reason).toBe(expected);
        if (result.kind !== "done") continue;
        const [etag] = result.etags;
        if (etag === undefined) model.delete(key);
        else model.set(key, etag);
      }
      const page = await table.query({ partition: "p", from, to });
      const inRange = [...model].filter(([key]) => key >= from && key <= to).sort(([a], [b]) => (a < b ? -1 : 1));
      expect(page.rows.map((row) => [row.row, row.etag])).toEqual(inRange);
    }),
    { numRuns: 200 },
  );
});

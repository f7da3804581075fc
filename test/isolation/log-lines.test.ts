// What the log says when something fails: whose store, space and segment it was, and never what was in it.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, test } from "vitest";
import { noMetadata } from "../../src/core/entry.ts";
import { corruptData, StoreError } from "../../src/core/errors.ts";
import type { LogFields, Logger } from "../../src/core/logger.ts";
import { hexKey } from "../../src/codec/lexkey.ts";
import { messagesOf } from "../../src/notify/message.ts";
import {
  logHeadRow,
  logPartition,
  openLogsPartition,
  recordRow,
  registryTableName,
  segmentPartition,
  segmentsPartition,
  spacesPartition,
  storeTableName,
  timestampOfRow,
} from "../../src/store/azure/rows/keys.ts";
import type { StatusNotifier } from "../../src/store/notifier.ts";
import type { Store } from "../../src/store/store.ts";
import { SpaceWatches } from "../../src/server/space-watch.ts";
import { faults } from "../doubles/fault.ts";
import { notification } from "../unit/notify/given.ts";
import { at, failed, hourMs, retries, world } from "../unit/notify/world.ts";
import { json, openService, segmentPath } from "../unit/server/in-process.ts";
import { Lab, neighbours, space, storeId, stuck } from "./lab.ts";

const secret = "what-is-written-is-not-logged";
const [also = stuck] = neighbours;
const there = { store: storeId, space };
const settings = { walGraceMs: 1_000, tombstoneAfterMs: 60_000, produceTimeoutMs: 5_000 };

interface Line {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: LogFields;
}

/** All lines that any test has seen: each line that the source has must be among them. */
const seen = new Set<string>();

function recording(): { readonly lines: Line[]; readonly logger: Logger } {
  const lines: Line[] = [];
  const at = (level: Line["level"]) => (message: string, fields: LogFields) => {
    seen.add(message);
    lines.push({ level, message, fields });
  };
  return { lines, logger: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") } };
}

function textOf(lines: readonly Line[]): string {
  return JSON.stringify(lines, (_, value: unknown) => {
    if (typeof value === "bigint") return String(value);
    return value instanceof Error ? { message: value.message, stack: value.stack, cause: value.cause } : value;
  });
}

/** Those that must be seen; all there are name the store and the space. */
function expectLines(lines: readonly Line[], expected: readonly [string, LogFields][]): void {
  for (const [message, fields] of expected) {
    expect(lines).toContainEqual(
      expect.objectContaining({
        message: expect.stringContaining(message) as string,
        fields: expect.objectContaining(fields) as LogFields,
      }),
    );
  }
  for (const { fields } of lines) expect(fields["store"]).toBe(storeId);
  expect(textOf(lines)).not.toContain(secret);
}

const produceBoth = (store: Store): Promise<unknown> =>
  store.produceAll(
    space,
    [stuck, also].map((segment) => ({ segment, records: [{ payload: Buffer.from(secret), metadata: noMetadata }] })),
  );

/** An instance commits to two segments and dies before it applies. The record's timestamp. */
async function leaveBehind(lab: Lab): Promise<number> {
  const { client, store } = lab.instance();
  const committed = Promise.withResolvers<undefined>();
  const stop = lab.account.observe((write) => {
    if (write.client !== client.name || write.partition !== logPartition(space)) return;
    client.crash();
    committed.resolve(undefined);
  });
  produceBoth(store).catch(() => undefined);
  await lab.finish(committed.promise);
  stop();
  const rows = lab.account.rows(storeTableName("streamkit", storeId));
  return timestampOfRow(rows.findLast(({ partition }) => partition === logPartition(space))!.row);
}

/** In place of the properties that are named, nonsense. */
async function spoil(lab: Lab, partition: string, row: string, names: readonly string[]): Promise<void> {
  const stored = lab.account.rows(storeTableName("streamkit", storeId));
  const { properties } = stored.find((one) => one.partition === partition && one.row === row)!;
  expect(Object.keys(properties)).toEqual(expect.arrayContaining([...names]));
  const spoiled = { ...properties, ...Object.fromEntries(names.map((name) => [name, Buffer.from(secret)])) };
  await lab.finish(lab.table.submit(partition, [{ kind: "upsert", row, properties: spoiled }]));
}

async function drain(names: AsyncIterable<string>): Promise<number> {
  let count = 0;
  for await (const name of names) count += name.length;
  return count;
}

describe("a line names the store and the space", () => {
  test("and the segment that cannot be applied", async () => {
    const lab = new Lab("line: apply");
    const { lines, logger } = recording();
    const { store } = lab.instance({ logger, settings });
    const partition = segmentPartition(space, stuck);
    lab.fault = (request) =>
      "partition" in request && request.partition === partition ? faults.failed({ kind: "unavailable" }, 4) : undefined;
    await lab.produce(store, stuck, secret);
    expectLines(lines, [["a segment cannot be applied for now", { ...there, segment: stuck }]]);
  });

  test("whose log cannot be written", async () => {
    const lab = new Lab("line: log");
    const { lines, logger } = recording();
    const { store } = lab.instance({ logger, settings });
    lab.fault = ({ kind }) => (kind === "submit" ? faults.failed({ kind: "denied" }, 4) : undefined);
    await lab.produce(store, stuck, secret);
    expectLines(lines, [["a space's log cannot be written for now", there]]);
  });

  test("whose storage went back", async () => {
    const lab = new Lab("line: back");
    const { lines, logger } = recording();
    const { store } = lab.instance({ logger, settings });
    await lab.produce(store, stuck, secret);
    await lab.pass(5_000);
    for (const name of [storeTableName("streamkit", storeId), registryTableName("streamkit")])
      lab.account.deleteTable(name);
    await lab.produce(store, stuck, secret);
    expectLines(lines, [["the storage went back", there]]);
  });

  test("and those segments that the monitor could not help, or has given up something of", async () => {
    const lab = new Lab("line: monitor");
    const { lines, logger } = recording();
    const { factory } = lab.instance({ logger, settings });
    const timestamp = await leaveBehind(lab);
    await spoil(lab, logPartition(space), recordRow(timestamp), ["d00"]);
    for (let visit = 1; visit <= 3; visit += 1) {
      await lab.pass(settings.tombstoneAfterMs);
      await lab.finish(factory.recover({ deadlineMs: 60_000 }));
    }
    const both = { ...there, timestamp, segments: [also, stuck].sort(), segmentCount: 2 };
    expectLines(lines, [
      ["a pending record cannot be applied for now", both],
      ["a log record cannot be read: its segments go on without it", both],
    ]);
  });

  test("whose open log the monitor could not look into", async () => {
    const lab = new Lab("line: open log");
    const { lines, logger } = recording();
    const { factory } = lab.instance({ logger, settings });
    await leaveBehind(lab);
    await spoil(lab, logPartition(space), logHeadRow(space), ["v"]);
    await lab.finish(factory.recover({ deadlineMs: 60_000 }));
    expectLines(lines, [["an open log cannot be recovered for now", there]]);
  });

  test("but for a row of the open logs that is not one: then its key", async () => {
    const lab = new Lab("line: no log");
    const { lines, logger } = recording();
    const { factory } = lab.instance({ logger, settings });
    const registry = lab.account.table(registryTableName("streamkit"));
    await lab.finish(registry.create());
    await lab.finish(registry.submit(openLogsPartition, [{ kind: "insert", row: "0f", properties: { v: 1n } }]));
    await lab.finish(factory.recover({ deadlineMs: 60_000 }));
    expect(lines.map(({ fields }) => fields["row"])).toEqual(["0f"]);
  });

  test("whose names cannot all be read", async () => {
    const lab = new Lab("line: names");
    const { lines, logger } = recording();
    const { store } = lab.instance({ logger });
    await lab.produce(store, stuck, secret);
    for (const partition of [spacesPartition, segmentsPartition(space)])
      await lab.finish(lab.table.submit(partition, [{ kind: "insert", row: "ff", properties: { v: 1n } }]));
    await lab.finish(drain(store.getSpaces()));
    await lab.finish(drain(store.getSegments(space)));
    expectLines(lines, [["a row of the names cannot be read and is left out", { ...there, row: "ff" }]]);
    expect(lines).toHaveLength(2);
  });

  test("and the segment whose status was not told", async () => {
    const lab = new Lab("line: status");
    const { lines, logger } = recording();
    const notifier: StatusNotifier = {
      notify: () => Promise.reject(new StoreError("storage_unavailable", "The queue is dead.")),
    };
    const { store } = lab.instance({ logger, notifier });
    await lab.produce(store, stuck, secret);
    await lab.pass(1_000);
    expectLines(lines, [["a status notification was not sent; the monitor will", { ...there, segment: stuck }]]);
  });

  test("that live readers wait for, when it cannot be looked at, alone or with others", async () => {
    const lab = new Lab("line: watch");
    const { lines, logger } = recording();
    const { store } = lab.instance();
    const watches = new SpaceWatches(lab.clock, { uuid: () => "", fraction: () => 0 }, logger, { togetherMin: 1 });
    const watch = await lab.finish(watches.open(store, space));
    lab.fault = () => faults.failed({ kind: "unavailable" }, 4);
    await lab.pass(3_000);
    watch.close();
    expectLines(lines, [["a live space cannot be looked at", there]]);
    expectLines(lines, [["the spaces with news cannot be listed", { store: there.store }]]);
  });
});

describe("a line about a notification names the store, the space, the segment and the subscription", () => {
  const text = messagesOf(notification("orders", "stuck"))[0]!;
  const whose = { ...there, segment: stuck, subscription: "down" };

  test("as its target fails, is given up, takes messages again, or is gone", async () => {
    const { lines, logger } = recording();
    const { answers, dispatcher, queues, host, subscribe } = world({ logger });
    const send = () => queues.queue("streamkit-status").send(text);
    await subscribe("down", "orders", "*", at("down.test"));
    answers.set("down.test", () => failed);
    await send();
    await host(dispatcher, 40 * hourMs, 10_000);
    answers.delete("down.test");
    await send();
    await host(dispatcher, 5 * hourMs, 10_000);
    answers.set("down.test", () => ({ kind: "gone", reason: "It answered 410." }));
    await send();
    await host(dispatcher, 60_000);
    expectLines(lines, [
      ["a subscription's target fails", whose],
      ["notifications of a subscription are given up", whose],
      ["a subscription's target takes messages again", { store: storeId, subscription: "down" }],
      ["a subscription is disabled", whose],
    ]);
  });

  test("as its counts are lost, or it cannot be read", async () => {
    const { lines, logger } = recording();
    const { account, answers, dispatcher, clock, subscribe, tableOf } = world({ logger });
    await subscribe("down", "orders", "*", at("down.test"));
    answers.set("down.test", () => failed);
    const put = (row: string) =>
      tableOf(storeId).submit(hexKey("SUB"), [{ kind: "upsert", row, properties: { v: 1n } }]);
    await put("ff");
    account.follow(({ kind }) => (kind === "submit" ? faults.failed({ kind: "denied" }, 4) : undefined));
    await Promise.all([dispatcher.dispatch(text), clock.pass(5_000)]);
    expectLines(lines, [
      ["a subscription cannot be read and is left out", { store: storeId, row: "ff" }],
      ["counts of deliveries are lost", { store: storeId, subscription: "down" }],
    ]);
  });

  test("as it cannot be put off, or a slow delivery may be made again", async () => {
    const { lines, logger } = recording();
    const { answers, clock, dispatcher, queues, subscribe } = world({ logger });
    await subscribe("down", "orders", "*", at("down.test"));
    const slow = Promise.withResolvers<never>();
    answers.set("down.test", () => slow.promise);
    const dispatching = dispatcher.dispatch(text);
    await clock.pass(1_000);
    await dispatching;
    slow.reject(new Error("A mistake of ours."));
    await clock.pass(10);
    answers.set("down.test", () => failed);
    queues.follow(({ queue }) => (queue === retries ? faults.failed({ kind: "unavailable" }, 5) : undefined));
    const refused = expect(dispatcher.dispatch(text)).rejects.toMatchObject({ code: "storage_unavailable" });
    await clock.pass(10_000);
    await refused;
    const { statuses, ...rest } = JSON.parse(text) as { readonly statuses: readonly unknown[] };
    await world({ logger }).dispatcher.dispatch({ ...rest, statuses: [{ segment: secret }, ...statuses] });
    await expect(world({ logger }).dispatcher.dispatch("nonsense")).rejects.toThrow();
    expectLines(
      lines.filter(({ fields }) => "store" in fields),
      [
        ["a delivery that took long may be made again", whose],
        ["a status notification was not dispatched", { ...there, segment: stuck }],
        ["a status in a notification cannot be read and is left out", there],
      ],
    );
    // What is no message names nothing.
    expect(lines.filter(({ fields }) => !("store" in fields))).toHaveLength(1);
  });
});

describe("the line of a request names what its path does", () => {
  const path = segmentPath(storeId, space, stuck);
  const records = `${path}/records?encoding=text`;

  async function told(method: string, url: string, init: RequestInit, failure?: StoreError): Promise<Line> {
    const { lines, logger } = recording();
    const service = await openService({ logger });
    if (failure !== undefined) service.services.stores.open(storeId).peek = () => Promise.reject(failure);
    await service.call("POST", records, json({ records: [{ payload: secret }] }));
    await service.call(method, url, init);
    await service.dispose();
    expect(textOf(lines)).not.toContain(secret);
    return lines.at(-1)!;
  }

  test.each<[string, Line["level"], string, RequestInit]>([
    ["a sequence that another has", "debug", records, json({ records: [{ sequence: 1, payload: secret }] })],
    ["a body that is not right", "info", records, json({ records: secret })],
    ["a parameter that is not right", "info", `${records}&ack=${secret}`, json({ records: [] })],
  ])("of %s, %s", async (_, level, url, init) => {
    const line = await told("POST", url, init);
    expect(line).toMatchObject({ level, fields: { ...there, segment: stuck } });
  });

  test.each([
    ["error", new StoreError("storage_unavailable", "The storage is away.")],
    ["warn", new StoreError("overloaded", "Come back later.")],
    ["debug", new StoreError("lease_held", "The lease is held.")],
  ] as const)("of a failure: %s", async (level, failure) => {
    const line = await told("GET", `${path}/last`, {}, failure);
    expect(line).toMatchObject({ level, message: "request failed", fields: { ...there, segment: stuck } });
  });

  test("of a lease that another has it is no line but of debug; of a subscription that is not there it names the id", async () => {
    const { lines, logger } = recording();
    const service = await openService({ logger });
    const lease = `/v1/stores/${storeId}/leases/own`;
    for (const holder of ["one", "other"]) await service.call("PUT", lease, json({ holder, ttlSeconds: 60 }));
    await service.call("GET", `/v1/stores/${storeId}/subscriptions/none`);
    await service.dispose();
    const failures = lines.filter(({ message }) => message === "request failed");
    expect(failures).toMatchObject([
      { level: "debug", fields: { store: storeId, code: "lease_held" } },
      { level: "info", fields: { store: storeId, subscription: "none", code: "not_found" } },
    ]);
  });

  test("of a live status that cannot be read", async () => {
    const { lines, logger } = recording();
    const service = await openService({ logger });
    await service.call("POST", records, json({ records: [{ payload: secret }] }));
    service.services.stores.open(storeId).getSegmentStatus = () => Promise.reject(corruptData("its head"));
    await service.call("GET", `/v1/stores/${storeId}/spaces/${space}/status`);
    await service.dispose();
    const lost = lines.filter(({ level }) => level === "error");
    expect(lost).toMatchObject([{ message: "a segment's status cannot be read and is left out" }]);
    expect(lost[0]?.fields).toMatchObject({ ...there, segment: stuck });
  });

  test("of several spaces it names the one that failed; so does that of a stream", async () => {
    const { lines, logger } = recording();
    const service = await openService({ logger });
    const store = service.services.stores.open(storeId);
    store.spaceTail = () => Promise.reject(new StoreError("storage_unavailable", "The storage is away."));
    await service.call("POST", `/v1/stores/${storeId}/consume`, json({ offsets: { orders: "end" } }));
    const events = { headers: { accept: "text/event-stream" } };
    await service.call("GET", `/v1/stores/${storeId}/spaces/orders/entries`, events);
    const lineForm = { headers: { accept: "application/x-ndjson" } };
    store.consumeSpace = async function* () {
      yield await Promise.reject(new StoreError("storage_unavailable", "The storage is away."));
    };
    await service.call("GET", `/v1/stores/${storeId}/spaces/orders/entries`, lineForm);
    await service.dispose();
    const failures = lines.filter(({ level }) => level === "error");
    expect(failures.length).toBeGreaterThanOrEqual(3);
    for (const { fields } of failures) expect(fields).toMatchObject(there);
  });
});

/** About no store: each with what it is about. */
const others: readonly string[] = [
  "a file of the documentation cannot be served",
  "the keys of the tokens' issuer cannot be fetched",
  "telemetry was not sent",
  ...["telemetry of the start was dropped", "telemetry is off: it cannot be loaded"],
  "there is no such setting: it does nothing",
  "a job cannot be done",
  "what is due cannot be done for now",
  "the monitor failed",
  "how the monitor's run went could not be written",
  "the poison queues could not be counted",
  "misconfigured: every call is answered 503",
];

test("each line of the source is about no store, or held by a test before this one", () => {
  const files = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  const messages = files.flatMap((name) =>
    [...readFileSync(join("src", name), "utf8").matchAll(/\blogger\.(?:info|warn|error)\(\s*"([^"]+)"/g)].map(
      ([, message]) => message!,
    ),
  );
  expect(messages.filter((message) => !seen.has(message) && !others.includes(message))).toEqual([]);
});

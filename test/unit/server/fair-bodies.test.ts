// Bodies are shared fairly: who stalls, trickles or takes too much stops itself, and is let go in time.

import { randomUUID } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";

import { afterEach, describe, expect, test } from "vitest";

import { StoreError } from "../../../src/core/errors.ts";
import { parseStoreId } from "../../../src/core/ids.ts";
import { identityOf } from "../../../src/server/access.ts";
import { paceBytes } from "../../../src/server/body.ts";
import type { Connection } from "../../../src/server/http.ts";
import { unseenConnection } from "../../../src/server/http.ts";
import { Budget } from "../../../src/server/overload.ts";
import { inTurns, stepsInTurns } from "../../../src/server/produce.ts";
import { parseProduceAllBody, parseProduceBody } from "../../../src/wire/records.ts";
import { wireLimits } from "../../../src/wire/wire-limits.ts";
import { VirtualClock } from "../../virtual-clock.ts";
import { openService, segmentPath } from "./in-process.ts";
import type { Reply, Service } from "./in-process.ts";

const MiB = 1024 * 1024;
const store = randomUUID();
const shares = { callerPercent: 50, storePercent: 75, kept: { percent: 12.5, bytes: 64 * 1024 } };
const times = { stallMs: 10_000, wholeMs: 120_000 };

const open: Service[] = [];
const uploads: Upload[] = [];
afterEach(async () => {
  for (const upload of uploads.splice(0)) await upload.end();
  for (const service of open.splice(0)) await service.dispose();
});

async function start(max = 16 * MiB, virtual?: VirtualClock): Promise<Service> {
  const service = await openService({
    bodies: new Budget("bodies", max, shares),
    bodyTimes: times,
    // A caller that says who it is has a name, and a share of its own.
    access: {
      authenticate: ({ headers }) => Promise.resolve(identityOf(headers.get("x-caller") ?? "", ["streamkit::*"])),
    },
    ...(virtual === undefined ? {} : { clock: virtual }),
  });
  open.push(service);
  return service;
}

/** A request whose body is sent bit by bit. */
class Upload {
  readonly answer: Promise<Reply>;
  destroyed = false;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;

  constructor(service: Service, caller: string, type: string, path: string) {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    this.#writer = writable.getWriter();
    const connection: Connection = { ...unseenConnection(), destroy: () => (this.destroyed = true) };
    const headers = { "content-type": `application/${type}`, "x-caller": caller };
    this.answer = service.call("POST", path, { body: readable, headers }, connection);
    uploads.push(this);
  }

  async send(bytes: number | string): Promise<void> {
    const piece = typeof bytes === "string" ? Buffer.from(bytes) : Buffer.alloc(bytes, "x");
    await this.#writer.write(piece).catch(() => undefined);
    await settled();
  }

  async end(): Promise<void> {
    await this.#writer.close().catch(() => undefined);
    await this.answer;
  }
}

async function settled(): Promise<void> {
  for (let turns = 0; turns < 20; turns += 1) await turn();
}

const records = segmentPath(store, "s", "g", "/records?encoding=text");
const small = (service: Service, caller: string, of = records): Promise<Reply> =>
  service.call("POST", of, {
    body: '{"records":[{"payload":"x"}]}',
    headers: { "content-type": "application/json", "x-caller": caller },
  });

describe("what bodies hold", () => {
  test.each([
    ["JSON", "json", records, '{"records":[{"payload":"'],
    ["lines, whose first has no end", "x-ndjson", records, '{"payload":"'],
    ["of a call that reads", "json", `/v1/stores/${store}/consume`, '{"offsets":{"'],
  ])(
    "%s: a caller's is within its share, and others, and its own small calls, get through",
    async (_, type, path, head) => {
      const service = await start();
      const { bodies } = service.services;
      const refused: Reply[] = [];
      for (let at = 0; at < 40; at += 1) {
        const upload = new Upload(service, "greedy", type, path);
        void upload.answer.then((answer) => refused.push(answer));
        await upload.send(head);
        await upload.send(900 * 1024);
        expect(bodies.used).toBeLessThanOrEqual(8 * MiB);
      }
      expect(bodies.used).toBeGreaterThan(7 * MiB);
      expect(refused.length).toBeGreaterThanOrEqual(30);
      for (const { status, json, headers } of refused) {
        expect([status, json.code, headers["retry-after"]]).toEqual([429, "throttled", "1"]);
        expect(json).toMatchObject({
          detail: "This caller uses its whole share of this instance's bodies, 50 percent.",
        });
      }
      expect((await small(service, "greedy")).status).toBe(200);
      expect((await small(service, "modest")).status).toBe(200);
      const other = new Upload(
        service,
        "modest",
        "json",
        segmentPath(randomUUID(), "s", "g", "/records?encoding=text"),
      );
      await other.send(`{"records":[{"payload":"${"y".repeat(700_000)}"}]}`);
      await other.end();
      expect((await other.answer).status).toBe(200);
    },
  );

  test("the callers of one store leave a part to those of others", async () => {
    const service = await start();
    const uploads = ["a", "b"].map((caller) => new Upload(service, caller, "json", records));
    for (const upload of uploads) await upload.send(6 * MiB);
    const third = new Upload(service, "c", "json", records);
    await third.send(1 * MiB);
    expect((await third.answer).json).toMatchObject({ status: 429, code: "throttled", effect: "none" });
    const elsewhere = new Upload(service, "c", "json", segmentPath(randomUUID(), "s", "g", "/records"));
    await elsewhere.send(1 * MiB);
    expect(service.services.bodies.used).toBe(13 * MiB);
  });

  test("calls with small bodies find room when all the rest is taken", async () => {
    const service = await start();
    const uploads = ["a", "b"].map(
      (caller) => new Upload(service, caller, "json", segmentPath(randomUUID(), "s", "g", "/records")),
    );
    for (const upload of uploads) await upload.send(7 * MiB);
    const third = new Upload(service, "c", "json", records);
    await third.send(65 * 1024);
    expect((await third.answer).json).toMatchObject({ status: 503, code: "overloaded" });
    for (const caller of ["a", "b", "c"]) expect((await small(service, caller)).status).toBe(200);
  });

  test("lines that were committed are held no longer, whatever is still to come", async () => {
    const service = await start(4 * MiB);
    const upload = new Upload(service, "a", "x-ndjson", records);
    const line = `{"payload":"${"x".repeat(300_000)}"}\n`;
    for (let at = 0; at < 40; at += 1) {
      await upload.send(line);
      await expect.poll(() => service.services.bodies.used).toBeLessThan(1.2 * MiB);
    }
    await upload.end();
    expect((await upload.answer).json.transactions).toHaveLength(20);
    expect([service.services.bodies.used, service.services.bodies.holders]).toEqual([0, 0]);
  });
});

describe("a body", () => {
  test("that stalls is 408, gives its share back, and is let go", async () => {
    const virtual = new VirtualClock();
    const service = await start(16 * MiB, virtual);
    const upload = new Upload(service, "a", "json", records);
    await upload.send(4 * MiB);
    expect(service.services.bodies.used).toBe(4 * MiB);
    await virtual.pass(times.stallMs);
    const answer = await upload.answer;
    expect(answer.json).toMatchObject({ status: 408, code: "request_timeout", retryable: true });
    expect([service.services.bodies.used, service.services.bodies.holders]).toEqual([0, 0]);
    expect(upload.destroyed).toBe(false);
    await settled();
    await virtual.pass(times.stallMs);
    await expect.poll(() => upload.destroyed).toBe(true);
  });

  test("that trickles is given up as one that stalls", async () => {
    const virtual = new VirtualClock();
    const service = await start(16 * MiB, virtual);
    const upload = new Upload(service, "a", "x-ndjson", records);
    for (let second = 0; second < 10; second += 1) {
      await upload.send(1_000);
      await virtual.pass(1_000);
    }
    expect((await upload.answer).json).toMatchObject({ status: 408, code: "request_timeout" });
  });

  test("that keeps a pace has so long for the whole of it", async () => {
    const virtual = new VirtualClock();
    const service = await start(16 * MiB, virtual);
    const upload = new Upload(service, "a", "json", records);
    let answered = false;
    void upload.answer.then(() => (answered = true));
    for (let second = 0; second < times.wholeMs / 1_000; second += 1) {
      expect(answered).toBe(false);
      await upload.send(paceBytes);
      await virtual.pass(1_000);
    }
    expect((await upload.answer).json).toMatchObject({ status: 408, code: "request_timeout" });
  });

  test("of lines that stalls after a chunk was committed says what was", async () => {
    const virtual = new VirtualClock();
    const service = await start(16 * MiB, virtual);
    const upload = new Upload(service, "a", "x-ndjson", records);
    await upload.send('{"payload":"x"}\n'.repeat(1_500));
    await expect
      .poll(async () => (await service.call("GET", segmentPath(store, "s", "g"))).json)
      .toMatchObject({ lastSequence: 1_000 });
    await virtual.pass(times.stallMs);
    const answer = await upload.answer;
    expect(answer.json.transactions).toHaveLength(1);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    await settled();
    expect((await service.call("GET", segmentPath(store, "s", "g"))).json).toMatchObject({ lastSequence: 1_000 });
  });
});

test.each(["json", "x-ndjson"])(
  "of 1,001 records whose second chunk comes too late nothing is held when it is answered: as %s",
  async (type) => {
    const service = await start();
    const { bodies, stores } = service.services;
    const place = stores.open(parseStoreId(store));
    const produce = place.produce.bind(place);
    place.produce = (...given) =>
      (async function* () {
        for await (const chunk of produce(...given)) {
          yield chunk;
          throw new StoreError("overloaded", "Not committed in time.", { retryAfterMs: 1_000 });
        }
      })();
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const payloads = Array.from({ length: 1_001 }, () => `{"payload":"${"x".repeat(600)}"}`);
      const body = type === "json" ? `{"records":[${payloads.join(",")}]}` : `${payloads.join("\n")}\n`;
      const headers = { "content-type": `application/${type}`, "x-caller": "late" };
      const answer = await service.call("POST", records, { body, headers });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.json.transactions).toHaveLength(1);
      await settled();
      expect(bodies.used).toBe(0);
    }
  },
);

const several = (bytes: number): string => {
  const padded = `{"payload":"x"}${" ".repeat(bytes / 1_000)}`;
  return `{"segments":[{"records":[${Array(1_000).fill(padded).join(",")}],"segment":"g"}${" ".repeat(bytes / 4)}]}`;
};

test.each([
  [
    "records",
    262_145,
    parseProduceBody,
    (bytes: number) => `{"records":[${'{"payload":"x"},'.repeat(bytes / 16)}{"payload":"x"}]}`,
  ],
  [
    "records with white space between them",
    16,
    parseProduceBody,
    (bytes: number) =>
      `{"records":[${Array(16)
        .fill(`{"payload":"x"}${" ".repeat(bytes / 16)}`)
        .join(",")}]}`,
  ],
  ["white space", 0, parseProduceBody, (bytes: number) => `{${" ".repeat(bytes)}"records":[${"\n".repeat(bytes)}]}`],
  ["records of several segments", 1_000, parseProduceAllBody, several],
])("no turn of the process looks at more of a JSON body than is said: of %s", async (_, expected, parse, make) => {
  const body = Buffer.from(make(4 * MiB));
  let sum = 0;
  let largest = 0;
  let inTurn = 0;
  const steps = function* () {
    for (const step of parse([body], "text")) {
      sum += step.bytes;
      inTurn += step.bytes;
      largest = Math.max(largest, inTurn);
      yield step;
    }
  };
  const pause = (): Promise<void> => {
    inTurn = 0;
    return Promise.resolve();
  };
  let count = 0;
  for await (const { record } of stepsInTurns(steps(), pause)) count += record?.payload.byteLength ?? 0;
  expect(count).toBe(expected);
  expect(sum).toBeGreaterThan(0.75 * body.byteLength);
  // One record more, or one run of white space.
  expect(largest).toBeLessThan(2 * wireLimits.turnBytesMax + 1_000);
});

test("the records of a body are looked at in such turns", async () => {
  let pauses = 0;
  const pause = (): Promise<void> => {
    pauses += 1;
    return Promise.resolve();
  };
  const body = Buffer.from(`{"records":[${'{"payload":"x"},'.repeat(MiB / 16)}{"payload":"x"}]}`);
  let count = 0;
  for await (const { payload } of inTurns(parseProduceBody([body], "text"), pause)) count += payload.byteLength;
  expect(count).toBe(MiB / 16 + 1);
  expect(pauses).toBe(MiB / wireLimits.turnBytesMax);
});

test("one value of a JSON body is looked at no further than a record can reach", () => {
  const body = Buffer.from(`{"records":[${"[".repeat(8 * MiB)}`);
  expect(() => [...parseProduceBody([body], "text")]).toThrow(/records\[0\]: payload and metadata have far more/);
});

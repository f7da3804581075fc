// Streams through the compiled app: bounded memory both ways, readers that stall, leave or wait, and what happens
// behind them.

import { randomBytes, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { createInterface } from "node:readline";

import { QueueServiceClient } from "@azure/storage-queue";
import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { startApp, until } from "./harness.ts";
import type { RunningApp } from "./harness.ts";

const MiB = 1024 * 1024;
const queue = `status-${randomUUID()}`;

let app: RunningApp;
beforeAll(async () => {
  app = await startApp({
    env: {
      STREAMKIT_NOTIFICATIONS_QUEUE: queue,
      STREAMKIT_LOG_LEVEL: "debug",
      STREAMKIT_HEARTBEAT_SECONDS: "1",
      // The app's own consumer of the queue would take, and remove, the message that is looked for.
      "AzureWebJobs.dispatchStatus.Disabled": "true",
    },
  });
});
afterAll(() => app.stop());

const at = (store: string, rest: string) => `${app.url}/v1/stores/${store}/spaces/s${rest}`;

/** The most memory an app ever had, bytes. */
async function peakBytes(of = app): Promise<number> {
  const status = await readFile(`/proc/${of.pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

/**
 * Bytes, at the most: from the app to the host, and from the host to the reader, the kernel takes what neither end has
 * read.
 */
async function socketsHold(): Promise<number> {
  const largest = async (which: string): Promise<number> => {
    const [, , most] = (await readFile(`/proc/sys/net/ipv4/${which}`, "utf8")).trim().split(/\s+/);
    return Number(most);
  };
  return 2 * ((await largest("tcp_rmem")) + (await largest("tcp_wmem")));
}

function get(url: string, headers: Record<string, string>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request(url, { headers }, resolve).on("error", reject).end();
  });
}

/** Incompressible records of 8 KiB, one a line, as they are asked for. */
function* recordLines(count: number): Generator<Uint8Array> {
  for (let index = 0; index < count; index += 1) {
    yield Buffer.from(`{"payload":"${randomBytes(8 * 1024).toString("base64")}"}\n`);
  }
}

async function produceLines(store: string, segment: string, count: number): Promise<Response> {
  return fetch(at(store, `/segments/${segment}/records`), {
    method: "POST",
    headers: { "content-type": "application/x-ndjson", accept: "application/x-ndjson" },
    body: ReadableStream.from(recordLines(count)),
    duplex: "half",
  });
}

/** How many entries came, each segment's without a gap, by timestamp. */
async function readInOrder(url: string): Promise<number> {
  const lines = createInterface({ input: await get(url, { accept: "application/x-ndjson" }), crlfDelay: Infinity });
  const lasts = new Map<string, number>();
  let timestamp = 0;
  let entries = 0;
  for await (const line of lines) {
    const entry = JSON.parse(line) as { sequence?: number; timestamp: number; segment: string };
    if (entry.sequence === undefined) return entries;
    const isNext = entry.sequence === (lasts.get(entry.segment) ?? 0) + 1 && entry.timestamp >= timestamp;
    if (!isNext) throw new Error(`Out of order, or not once: ${line}`);
    lasts.set(entry.segment, entry.sequence);
    timestamp = entry.timestamp;
    entries += 1;
  }
  throw new Error("The answer has no end.");
}

const large = { store: randomUUID(), records: 9_000 };

test("a hundred megabytes are produced without being held", { timeout: 120_000 }, async () => {
  await (await produceLines(large.store, "warm-up", 200)).text();
  const before = await peakBytes();
  const produced = await produceLines(large.store, "g", large.records);
  const lines = (await produced.text()).trim().split("\n");
  expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ status: { lastSequence: large.records } });
  expect(lines.length).toBeGreaterThan(large.records / 96);
  // Passing text leaves garbage that is collected at leisure: the claim is a bound, not a small number.
  expect((await peakBytes()) - before).toBeLessThan(250 * MiB);
});

test("a reader that stalls holds back the work; when it leaves, the work ends", { timeout: 60_000 }, async () => {
  const requestId = `stalled-${randomUUID()}`;
  const headers = { accept: "application/x-ndjson", "x-request-id": requestId };
  const answer = await get(at(large.store, "/segments/g/entries"), headers);
  answer.on("error", () => undefined);
  await new Promise((resolve) => answer.once("readable", resolve));
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const line = () =>
    app
      .logs()
      .split("\n")
      .find((text) => text.includes(requestId));
  expect(line()).toBeUndefined();
  answer.destroy();
  await until("the stream ends", () => line() !== undefined);
  const { characters } = JSON.parse(line() ?? "") as { characters: number };
  expect(characters).toBeLessThan((await socketsHold()) + 4 * MiB);
});

test("a hundred megabytes are consumed, whole", { timeout: 120_000 }, async () => {
  const before = await peakBytes();
  const consumed = await get(at(large.store, "/segments/g/entries"), { accept: "application/x-ndjson" });
  let entries = 0;
  let bytes = 0;
  for await (const chunk of consumed) {
    bytes += (chunk as Buffer).byteLength;
    for (const byte of chunk as Buffer) if (byte === 0x0a) entries += 1;
  }
  expect(entries).toBe(large.records + 1);
  expect(bytes).toBeGreaterThan(95 * MiB);
  expect((await peakBytes()) - before).toBeLessThan(400 * MiB);
});

test("a million entries are consumed, each once and in order, in bounded memory", { timeout: 240_000 }, async () => {
  const store = randomUUID();
  const count = 250_000;
  // One after the other would take as long as their commits together.
  const producing = ["a", "b", "c", "d"].map(async (segment) => {
    const answer = await fetch(at(store, `/segments/${segment}/records?encoding=json&ack=committed`), {
      method: "POST",
      headers: { "content-type": "application/x-ndjson" },
      body: '{"payload":1}\n'.repeat(count),
    });
    expect(answer.status).toBe(200);
    await answer.text();
  });
  await Promise.all(producing);
  // Another instance, which has never needed more memory than it needs for this.
  const reader = await startApp();
  const path = `${reader.url}/v1/stores/${store}/spaces/s/entries?encoding=json`;
  expect(await readInOrder(`${path}&limit=${count}`)).toBe(count);
  const before = await peakBytes(reader);
  expect(await readInOrder(path)).toBe(4 * count);
  // Held, the other 750,000 entries would be at least their text, 225 MB; what is garbage is collected at leisure.
  expect((await peakBytes(reader)) - before).toBeLessThan(200 * MiB);
  await reader.stop();
});

test(
  "a caller that leaves a produce on its way leaves whole chunks, and the app well",
  { timeout: 60_000 },
  async () => {
    const store = randomUUID();
    const leaving = new AbortController();
    const endless = ReadableStream.from(
      (async function* () {
        for (;;) {
          yield* recordLines(100);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      })(),
    );
    const answer = fetch(at(store, "/segments/g/records"), {
      method: "POST",
      headers: { "content-type": "application/x-ndjson" },
      body: endless,
      duplex: "half",
      signal: leaving.signal,
    });
    const last = async (): Promise<number> => {
      const status = (await (await fetch(at(store, "/segments/g"))).json()) as { lastSequence: number };
      return status.lastSequence;
    };
    await until("something is committed", async () => (await last()) > 0);
    leaving.abort();
    await expect(answer).rejects.toThrow();
    let seen = await last();
    await until("nothing more is committed", async () => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      const now = await last();
      const still = now === seen;
      seen = now;
      return still;
    });
    const page = (await (await fetch(at(store, "/segments/g/entries?limit=10000"))).json()) as { entries: unknown[] };
    expect(page.entries.length).toBeGreaterThan(0);
    expect((await fetch(`${app.url}/health?deep=true`)).status).toBe(200);
  },
);

test("a live reader hears a heartbeat, then each record as it is produced", { timeout: 60_000 }, async () => {
  const store = randomUUID();
  const answer = await get(at(store, "/entries?encoding=json"), { accept: "text/event-stream" });
  let text = "";
  answer.setEncoding("utf8").on("data", (piece: string) => (text += piece));
  answer.on("error", () => undefined);
  await until("the first comment", () => text.includes(": live"));
  await until("a heartbeat", () => text.includes("event: heartbeat"));
  for (const payload of [1, 2, 3]) {
    await fetch(at(store, "/segments/g/records?encoding=json"), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ records: [{ payload }] }),
    });
    await until("the event", () => text.includes(`"payload":${payload},`), 3_000);
  }
  answer.destroy();
});

test("each applied record leaves its message in the notifications queue", async () => {
  const store = randomUUID();
  await fetch(at(store, "/segments/g/records?encoding=json"), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"records":[{"payload":1},{"payload":2}]}',
  });
  const client = QueueServiceClient.fromConnectionString(inject("azurite")).getQueueClient(queue);
  const found: unknown[] = [];
  await until("the message", async () => {
    const { receivedMessageItems } = await client.receiveMessages({ numberOfMessages: 32 });
    for (const item of receivedMessageItems) {
      const message = JSON.parse(Buffer.from(item.messageText, "base64").toString()) as { store: string };
      if (message.store === store) found.push(message);
    }
    return found.length > 0;
  });
  expect(found[0]).toMatchObject({
    version: 1,
    store,
    space: "s",
    statuses: [{ space: "s", segment: "g", firstSequence: 1, lastSequence: 2 }],
  });
});

test("the monitor runs by hand, and how its run went can be asked", async () => {
  const lastRun = async () => {
    const { lastRun: run } = (await (await fetch(`${app.url}/v1/monitor`)).json()) as {
      readonly lastRun?: Readonly<Record<string, unknown>>;
    };
    return run;
  };
  const before = Number((await lastRun())?.["startedAt"] ?? 0);
  const answer = await fetch(`${app.url}/admin/functions/walMonitor`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  expect(answer.status).toBe(202);
  await until("its report", () => app.logs().includes('"message":"monitor"'));
  await until("its row", async () => Number((await lastRun())?.["startedAt"] ?? 0) > before);
  expect(await lastRun()).toMatchObject({
    complete: expect.any(Boolean) as boolean,
    logs: expect.any(Number) as number,
  });
});

test("a host that is to stop ends its streams with an event, and waits for none of them", async () => {
  const own = await startApp();
  const answer = await get(`${own.url}/v1/stores/${randomUUID()}/spaces/s/entries`, { accept: "text/event-stream" });
  let text = "";
  answer.setEncoding("utf8").on("data", (piece: string) => (text += piece));
  const ended = new Promise((resolve) => answer.once("close", resolve));
  await until("the stream is live", () => text.includes("event: live"));
  await Promise.all([own.stop("SIGTERM"), ended]);
  expect(text).toMatch(/event: end\n(.+\n)*\n$/);
  expect(own.logs()).not.toContain("were still running");
});

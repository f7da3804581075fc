// Timers and queues in the local host, against the emulator.

import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { type QueueClient, QueueServiceClient } from "@azure/storage-queue";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { installApp } from "../azurite.ts";
import type { Seen } from "./fixture-apps/streaming/functions/seen.ts";
import { type RunningApp, startApp, until } from "./harness.ts";

let app: RunningApp;
let queue: QueueClient;
let poison: QueueClient;

beforeAll(async () => {
  const service = QueueServiceClient.fromConnectionString(inject("azurite"));
  const queueName = `messages-${randomUUID()}`.slice(0, 50);
  queue = service.getQueueClient(queueName);
  poison = service.getQueueClient(`${queueName}-poison`);
  const appRoot = join(inject("runFolder"), "streaming-triggers");
  await installApp(join(import.meta.dirname, "fixture-apps/streaming"), appRoot);
  // The host looks for the connection under its own prefix too.
  app = await startApp({ appRoot, env: { TEST_QUEUE: queueName, AzureWebJobsMessages: inject("azurite") } });
});
afterAll(() => app.stop());

const state = async (): Promise<Seen> => (await fetch(`${app.url}/state`)).json() as Promise<Seen>;

function runByHand(name: string, body = "{}", type = "application/json"): Promise<Response> {
  return fetch(`${app.url}/admin/functions/${name}`, { method: "POST", body, headers: { "content-type": type } });
}

describe("timers", () => {
  test("a schedule fires, its runs never overlap, and one run makes up for those that were missed", async () => {
    await until("four runs", async () => (await state()).slow.runs.length >= 4, 15_000);
    const { atOnce, runs } = (await state()).slow;
    expect(atOnce).toBe(1);
    expect(runs.slice(0, 4).map((run) => run.isPastDue)).toEqual([false, true, true, true]);
  });

  test("runOnStartup runs once at the start", async () => {
    expect((await state()).atStart).toEqual([
      { schedule: { adjustForDST: true }, scheduleStatus: null, isPastDue: false },
    ]);
  });

  test("a function runs by hand, and its name may be in any case", async () => {
    const before = (await state()).byHand;
    expect((await runByHand("by-hand")).status).toBe(202);
    expect((await runByHand("BY-HAND")).status).toBe(202);
    await until("it ran twice", async () => (await state()).byHand === before + 2);
  });

  test("what Azure refuses to run by hand is refused", async () => {
    expect((await runByHand("nowhere")).status).toBe(404);
    expect((await runByHand("echo")).status).toBe(400);
    expect((await runByHand("by-hand", "no json")).status).toBe(400);
    expect((await runByHand("by-hand", "{}", "text/plain")).status).toBe(415);
  });
});

describe("queues", () => {
  const base64 = (value: string): string => Buffer.from(value).toString("base64");

  async function poisoned(): Promise<string[]> {
    if (!(await poison.exists())) return [];
    const { peekedMessageItems } = await poison.peekMessages({ numberOfMessages: 32 });
    return peekedMessageItems.map((message) => message.messageText);
  }

  async function isEmpty(): Promise<boolean> {
    return (await queue.getProperties()).approximateMessagesCount === 0;
  }

  test("a queue may come into being after the start; each message is handed over, decoded, and removed", async () => {
    await queue.create();
    for (let number = 0; number < 10; number += 1) await queue.sendMessage(base64(JSON.stringify({ number })));
    await until(
      "all are handed over and removed",
      async () => (await state()).messages.length >= 10 && (await isEmpty()),
    );
    const numbers = (await state()).messages.map(({ text }) => (text as { number: number }).number);
    expect(numbers.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("a message whose function fails is tried again, then goes to the poison queue as it was sent", async () => {
    const text = JSON.stringify({ fail: true, id: randomUUID() });
    await queue.sendMessage(base64(text));
    await until("it is in the poison queue", async () => (await poisoned()).includes(base64(text)));
    const tries = (await state()).messages.filter((message) => JSON.stringify(message.text) === text);
    expect(tries.map((message) => message.tries)).toEqual([1, 2, 3]);
    await until("it is removed", isEmpty);
  });

  test.for([
    ["base64", "not base64!"],
    ["UTF-8 in base64", Buffer.from([0xff, 0xfe]).toString("base64")],
  ])("a message that is not %s goes to the poison queue without a try", async ([, text]) => {
    const before = (await state()).messages.length;
    await queue.sendMessage(text!);
    await until("it is in the poison queue", async () => (await poisoned()).includes(text!));
    expect((await state()).messages).toHaveLength(before);
  });

  test("what a function finds in its metadata may be the message's own", async () => {
    const id = randomUUID();
    await queue.sendMessage(base64(JSON.stringify({ id, inner: { Part: 1 }, count: 3, dequeueCount: "many" })));
    const own = async () => (await state()).messages.find(({ metadata }) => metadata?.["id"] === id);
    await until("it is handed over", async () => (await own()) !== undefined);
    expect((await own())?.metadata).toMatchObject({ inner: { part: 1 }, count: 3, dequeueCount: "many" });
  });

  test("a message can be made up by hand", async () => {
    const text = `by hand ${randomUUID()}`;
    expect((await runByHand("on-message", JSON.stringify({ input: text }))).status).toBe(202);
    await until("it is handed over", async () => (await state()).messages.some((message) => message.text === text));
  });
});

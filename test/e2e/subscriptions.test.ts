// Subscriptions over HTTP, and the dispatcher behind the queue: to webhooks, to queues, past targets that fail.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingHttpHeaders, Server } from "node:http";
import type { AddressInfo } from "node:net";

import { QueueServiceClient, StorageSharedKeyCredential } from "@azure/storage-queue";
import { Webhook } from "standardwebhooks";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";

import { parseConnection } from "../../src/table/connection.ts";
import { startApp, until } from "./harness.ts";
import type { RunningApp } from "./harness.ts";

const ownQueue = `status-${randomUUID()}`;
let app: RunningApp;
let queues: QueueServiceClient;
beforeAll(async () => {
  const connection = parseConnection({ AzureWebJobsStorage: inject("azurite") });
  const key = connection.credential.kind === "key" ? connection.credential.key.reveal() : "";
  queues = new QueueServiceClient(
    connection.queueEndpoint!,
    new StorageSharedKeyCredential(connection.accountName, key),
  );
  app = await startApp({
    env: {
      STREAMKIT_NOTIFICATIONS_QUEUE: ownQueue,
      AzureFunctionsJobHost__extensions__queues__maxPollingInterval: "00:00:00.2",
      AzureFunctionsJobHost__extensions__queues__visibilityTimeout: "00:00:01",
    },
  });
});
afterAll(() => app.stop());

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A webhook on this machine that answers as it is told. */
async function receiver(
  answer: (count: number) => number,
): Promise<{ readonly url: string; readonly received: Received[] }> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      received.push({ headers: request.headers, body: Buffer.concat(parts).toString() });
      response.writeHead(answer(received.length), { location: "/elsewhere" }).end();
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?key=1`, received };
}

interface Subscription {
  readonly id: string;
  readonly delivered: number;
  readonly failed: number;
  readonly lastDeliveredAt?: number;
  readonly lastError?: { readonly at: number; readonly reason: string };
  readonly failingSince?: number;
  readonly nextAttemptAt?: number;
  readonly secret?: string;
  readonly code?: string;
  readonly field?: string;
}

const at = (store: string, id = ""): string =>
  `${app.url}/v1/stores/${store}/subscriptions${id === "" ? "" : `/${id}`}`;

async function put(
  store: string,
  id: string,
  body: object,
): Promise<{ readonly status: number; readonly json: Subscription }> {
  const answer = await fetch(at(store, id), {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: answer.status, json: (await answer.json()) as Subscription };
}

async function get(store: string, id: string): Promise<Subscription> {
  return (await (await fetch(at(store, id))).json()) as Subscription;
}

async function produce(store: string, space: string, segment: string): Promise<unknown> {
  const url = `${app.url}/v1/stores/${store}/spaces/${space}/segments/${segment}/records?encoding=text`;
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ records: [{ payload: "x" }] }),
  });
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { status: unknown }).status;
}

/** What waits in a queue: each message's text. */
async function messagesIn(name: string): Promise<string[]> {
  const queue = queues.getQueueClient(name);
  if (!(await queue.exists())) return [];
  const { peekedMessageItems } = await queue.peekMessages({ numberOfMessages: 32 });
  return peekedMessageItems.map(({ messageText }) => Buffer.from(messageText, "base64").toString());
}

describe("a subscription", () => {
  test("is made, shown without its secret, changed, listed and removed", async () => {
    const store = randomUUID();
    const wanted = { space: "orders", segment: "*", target: { webhook: "https://example.com/hook" } };
    const made = await put(store, "b", wanted);
    expect(made.status).toBe(201);
    expect(made.json).toEqual({
      ...{ id: "b", ...wanted, createdAt: expect.any(Number) as number, delivered: 0, failed: 0 },
      secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/) as string,
    });
    const { secret, ...shown } = made.json;
    expect(await get(store, "b")).toEqual(shown);
    expect(await put(store, "b", wanted)).toEqual({ status: 200, json: shown });
    const rotated = await put(store, "b", { ...wanted, rotateSecret: true });
    expect(rotated.status).toBe(200);
    expect(rotated.json.secret).toMatch(/^whsec_/);
    expect(rotated.json.secret).not.toBe(secret);

    const queued = { space: "*", segment: "order-1", target: { queue: "sub-a" } };
    const other = await put(store, "a", queued);
    expect(other.json).not.toHaveProperty("secret");
    expect(await (await fetch(at(store))).json()).toEqual({ subscriptions: [other.json, shown] });
    const removed = await fetch(at(store, "b"), { method: "DELETE" });
    expect([removed.status, await removed.text()]).toEqual([204, ""]);
    expect((await fetch(at(store, "b"), { method: "DELETE" })).status).toBe(404);
    expect(await get(store, "b")).toMatchObject({ code: "not_found" });
    expect(await (await fetch(at(randomUUID()))).json()).toEqual({ subscriptions: [] });
  });

  test("is refused a target that it must not have", async () => {
    const store = randomUUID();
    for (const target of [
      ...[
        "orders",
        ownQueue,
        `${ownQueue}-retry`,
        `${ownQueue}-poison`,
        "sub-x-poison",
        "azure-webjobs-x",
        "sub--x",
        "sub-X",
      ].map((queue) => ({ queue })),
      ...["http://example.com/", "http://10.0.0.1/", "https://10.0.0.1/", "https://169.254.169.254/metadata"].map(
        (webhook) => ({ webhook }),
      ),
      ...[
        "https://[fd00::1]/",
        "https://0x0a000001/",
        "https://user:pass@example.com/",
        "ftp://example.com/",
        "example.com",
      ].map((webhook) => ({ webhook })),
      {},
      { queue: "sub-a", webhook: "https://example.com/" },
    ]) {
      const answer = await put(store, "a", { space: "orders", segment: "*", target });
      expect(answer.json.code, JSON.stringify(target)).toBe("invalid_argument");
      expect(answer.json.field).toMatch(/^(target|queue)/);
    }
    for (const [field, wanted] of [
      ["segment", { space: "orders", segment: "order-*" }],
      ["space", { space: "order*", segment: "*" }],
      ["prefix", { space: "orders", prefix: "order-*" }],
      ["prefix", { space: "orders", segment: "order-1", prefix: "order-" }],
    ] as const) {
      const answer = await put(store, "a", { ...wanted, target: { queue: "sub-a" } });
      expect([answer.status, answer.json.field], JSON.stringify(wanted)).toEqual([400, field]);
    }
    expect((await put(store, "a b", { space: "s", segment: "*", target: { queue: "sub-a" } })).status).toBe(400);
    expect(await (await fetch(at(store))).json()).toEqual({ subscriptions: [] });
  });
});

describe("a change of status", () => {
  test("goes to the webhooks and queues that want it, signed, and to no others", async () => {
    const store = randomUUID();
    const hook = await receiver(() => 204);
    const other = await receiver(() => 200);
    const queue = `sub-${randomUUID()}`;
    const { json: made } = await put(store, "hook", { space: "orders", segment: "*", target: { webhook: hook.url } });
    await put(store, "queue", { space: "*", segment: "order-1", target: { queue } });
    await put(store, "other-segment", { space: "orders", segment: "order-2", target: { webhook: other.url } });
    await put(store, "other-space", { space: "payments", segment: "*", target: { webhook: other.url } });
    const status = await produce(store, "orders", "order-1");

    await until("both are told", async () => hook.received.length > 0 && (await messagesIn(queue)).length > 0, 20_000);
    const expected = { version: 1, store, space: "orders", statuses: [status] };
    expect(JSON.parse((await messagesIn(queue))[0]!)).toEqual(expected);
    const { body, headers } = hook.received[0]!;
    expect(headers["content-type"]).toBe("application/json");
    expect(new Webhook(made.secret!).verify(body, headers as Record<string, string>)).toEqual(expected);
    await until("it is counted", async () => (await get(store, "hook")).delivered === 1);
    expect((await get(store, "hook")).lastDeliveredAt).toBeGreaterThan(0);
    expect(other.received).toEqual([]);
  });

  test("is tried again with the target that fails, and with no other; the subscription says since when, and when next", async () => {
    const store = randomUUID();
    const failing = await receiver(() => 500);
    const redirecting = await receiver((count) => (count === 1 ? 302 : 200));
    const gone = await receiver(() => 410);
    const well = await receiver(() => 200);
    for (const [id, { url }] of Object.entries({ failing, redirecting, gone, well })) {
      expect((await put(store, id, { space: "orders", segment: "*", target: { webhook: url } })).status).toBe(201);
    }
    await produce(store, "orders", "order-1");
    await until("the failing one is tried again", () => Promise.resolve(failing.received.length >= 2), 30_000);
    await until(
      "the other's second try is counted",
      async () => (await get(store, "redirecting")).delivered === 1,
      20_000,
    );
    expect(await get(store, "redirecting")).toMatchObject({ failed: 1, lastError: { reason: "It answered 302." } });
    expect(await get(store, "redirecting")).not.toHaveProperty("failingSince");
    expect([well.received.length, redirecting.received.length, gone.received.length]).toEqual([1, 2, 1]);
    const ids = new Set(failing.received.map(({ headers }) => headers["webhook-id"]));
    expect(ids.size).toBe(1);
    await until("its failures are counted", async () => (await get(store, "failing")).failed >= 2);
    const { failingSince = 0, nextAttemptAt = 0, ...rest } = await get(store, "failing");
    expect(rest).toMatchObject({ delivered: 0, waiting: 1, lastError: { reason: "It answered 500." } });
    expect(nextAttemptAt).toBeGreaterThan(failingSince);
    expect(await get(store, "gone")).toMatchObject({ failed: 1, disabledAt: expect.any(Number) as number });
    // A target's failure is not the app's: there is nothing in a poison queue, and no error in the log.
    const poisoned = [...(await messagesIn(`${ownQueue}-poison`)), ...(await messagesIn(`${ownQueue}-retry-poison`))];
    expect(poisoned.filter((text) => text.includes(store))).toEqual([]);
    const lines = app
      .logs()
      .split("\n")
      .filter((line) => line.includes(store) && line.includes('"failing"'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('"level":"warn"');
  });

  test("that cannot be told to a closed port says nothing of the port", async () => {
    const store = randomUUID();
    const closed = await receiver(() => 200);
    servers.at(-1)!.close();
    await put(store, "closed", { space: "orders", segment: "*", target: { webhook: closed.url } });
    await produce(store, "orders", "order-1");
    await until("it has failed", async () => (await get(store, "closed")).failed > 0, 20_000);
    const { lastError } = await get(store, "closed");
    expect(lastError?.reason).toBe("It could not be reached, or did not answer in time.");
  });

  test("of a message that is none goes to the poison queue and disturbs nobody", async () => {
    const text = `not a notification ${randomUUID()}`;
    const queue = queues.getQueueClient(ownQueue);
    await queue.createIfNotExists();
    await queue.sendMessage(Buffer.from(text).toString("base64"));
    await until(
      "it is in the poison queue",
      async () => (await messagesIn(`${ownQueue}-poison`)).includes(text),
      20_000,
    );
  });
});

/** 404: there is no such function. */
function dispatchByHand({ url }: RunningApp): Promise<Response> {
  return fetch(`${url}/admin/functions/dispatchStatus`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      input: JSON.stringify({ version: 1, store: randomUUID(), space: "s", statuses: [] }),
    }),
  });
}

test("without a queue nobody is told, and nothing else is different", async () => {
  const silent = await startApp({ env: { STREAMKIT_NOTIFICATIONS_QUEUE: "" } });
  try {
    const store = randomUUID();
    const answer = await fetch(`${silent.url}/v1/stores/${store}/spaces/s/segments/g/records?encoding=text`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"records":[{"payload":"x"}]}',
    });
    expect(answer.status).toBe(200);
    const subscriptions = `${silent.url}/v1/stores/${store}/subscriptions`;
    expect((await fetch(subscriptions)).status).toBe(200);
    const refused = await fetch(`${subscriptions}/a`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: '{"space":"s","target":{"queue":"sub-a"}}',
    });
    const { code, detail } = (await refused.json()) as Record<string, string>;
    expect([refused.status, code]).toEqual([400, "invalid_argument"]);
    expect(detail).toContain("Set STREAMKIT_NOTIFICATIONS_QUEUE");
    expect((await dispatchByHand(app)).status).toBe(202);
    expect((await dispatchByHand(silent)).status).toBe(404);
  } finally {
    await silent.stop();
  }
});

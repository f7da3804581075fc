// The two sides of the queue port before the same claims, and what each adds.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { QueueServiceClient, StorageSharedKeyCredential } from "@azure/storage-queue";
import { describe, expect, inject, test, vi } from "vitest";
import { SimulatedQueues } from "../../doubles/simulated-queue.ts";
import type { QueueAccount } from "../../../src/notify/queue.ts";
import { createQueueAccount } from "../../../src/notify/storage-queue.ts";
import { parseConnection, parseConnectionString } from "../../../src/table/connection.ts";
import { faults } from "../../doubles/fault.ts";
import { systemClock } from "../../system.ts";
import { VirtualClock } from "../../virtual-clock.ts";

const newName = (): string => `q-${randomUUID()}`;

function queueContract(account: QueueAccount, received: (name: string) => Promise<readonly string[]>): void {
  test("what is sent is there, whatever characters it has, in a queue that nobody created", async () => {
    const name = newName();
    const text = '{"a":"ümläut 🎈 \u2028 \r\n \u0007 <xml> &amp; ]]>"}';
    await account.queue(name).send(text);
    expect(await received(name)).toEqual([text]);
  });

  test("a queue that is created twice keeps its messages", async () => {
    const queue = account.queue(newName());
    await queue.create();
    await queue.send("a");
    await queue.create();
    await queue.send("b");
    expect([...(await received(queue.name))].sort()).toEqual(["a", "b"]);
  });

  test("a queue tells how many messages it has, also one that is not there", async () => {
    const queue = account.queue(newName());
    expect(await queue.count()).toBe(0);
    for (const text of ["a", "b", "c"]) await queue.send(text);
    expect(await queue.count()).toBe(3);
  });

  test("what is sent for later is kept, and nobody receives it before", async () => {
    const queue = account.queue(newName());
    await queue.sendLater("in an hour", 3_600_000);
    await queue.send("now");
    expect(await received(queue.name)).toEqual(["now"]);
    expect(await queue.count()).toBeGreaterThanOrEqual(1);
  });

  test("what is sent for later is received then", async () => {
    const queue = account.queue(newName());
    await queue.sendLater("soon", 1);
    await vi.waitFor(async () => expect(await received(queue.name)).toEqual(["soon"]), {
      timeout: 20_000,
      interval: 100,
    });
  });

  test("what is taken back nobody receives; the others stay, also those of the same text", async () => {
    const queue = account.queue(newName());
    const [first] = [await queue.sendLater("a", 1), await queue.sendLater("a", 1)];
    await queue.takeBack(first);
    expect(await queue.count()).toBe(1);
    await vi.waitFor(async () => expect(await received(queue.name)).toEqual(["a"]), { timeout: 20_000, interval: 100 });
  });

  test("taking back again, or what was received, or from a queue that is gone, is nothing", async () => {
    const queue = account.queue(newName());
    const message = await queue.sendLater("a", 3_600_000);
    await queue.takeBack(message);
    await expect(queue.takeBack(message)).resolves.toBeUndefined();
    await expect(account.queue(newName()).takeBack(message)).resolves.toBeUndefined();
    expect(await queue.count()).toBe(0);
  });

  test("a message for later has at most as many bytes as any", async () => {
    const queue = account.queue(newName());
    await expect(queue.sendLater("x".repeat(48 * 1024 + 1), 1)).rejects.toMatchObject({ code: "invalid_argument" });
    expect(await queue.count()).toBe(0);
  });

  test("a message has at most 48 KiB of UTF-8", async () => {
    const name = newName();
    const longest = "é".repeat(24 * 1024);
    await account.queue(name).send(longest);
    await expect(account.queue(name).send(`${longest}x`)).rejects.toMatchObject({ code: "invalid_argument" });
    expect(await received(name)).toEqual([longest]);
  });

  test("a name that no queue can have is refused without a request", () => {
    for (const name of ["", "ab", "Abc", "a--b", "-ab", "ab-", "a_b", "x".repeat(64)]) {
      expect(() => account.queue(name)).toThrow(expect.objectContaining({ code: "invalid_argument" }) as Error);
    }
  });

  test("a send that was given up before it began is not made", async () => {
    const queue = account.queue(newName());
    await queue.create();
    await expect(queue.send("a", AbortSignal.abort())).rejects.toMatchObject({ code: "storage_unavailable" });
    expect(await received(queue.name)).toEqual([]);
  });
}

describe("the simulated queue", () => {
  const queues = new SimulatedQueues({ clock: systemClock });
  queueContract(queues, (name) => Promise.resolve(queues.messages(name)));

  test("a send meets its fault: late, lost, repeated, never heard of", async () => {
    const clock = new VirtualClock();
    const plan = [
      faults.timedOut(10, 20),
      faults.answerLost(1, 2),
      faults.repeated(1, 2, 0),
      faults.failed({ kind: "throttled" }, 1),
    ];
    const account = new SimulatedQueues({ clock, plan: ({ number }) => plan[number - 1] });
    const queue = account.queue("qqq");
    const failure = { code: "storage_unavailable", effect: "unknown" };
    const told = Promise.all([
      expect(queue.send("late")).rejects.toMatchObject(failure),
      expect(queue.send("lost")).rejects.toMatchObject(failure),
      queue.send("twice"),
      expect(queue.send("never")).rejects.toMatchObject({ code: "throttled", effect: "unknown" }),
    ]);
    await clock.pass(15);
    await told;
    expect(account.messages("qqq")).toEqual(["lost", "twice", "twice"]);
    await clock.pass(5);
    expect(account.messages("qqq")).toEqual(["lost", "twice", "twice", "late"]);
    expect(account.take("qqq")).toBe("lost");
    expect(account.messages("qqq")).toHaveLength(3);
  });

  test("an instance that crashes sends nothing more", async () => {
    const clock = new VirtualClock();
    const account = new SimulatedQueues({ clock });
    const client = account.connect("one");
    await client.queue("qqq").send("before");
    client.crash();
    void client.queue("qqq").send("after");
    await clock.pass(100);
    expect(account.messages("qqq")).toEqual(["before"]);
  });
});

describe("the storage queue", () => {
  const connection = parseConnection({ AzureWebJobsStorage: inject("azurite") });
  const { credential, queueEndpoint, accountName } = connection;
  const key = credential.kind === "key" ? credential.key.reveal() : "";
  const reader = new QueueServiceClient(queueEndpoint!, new StorageSharedKeyCredential(accountName, key));
  queueContract(createQueueAccount(connection, { clock: systemClock }), async (name) => {
    const { receivedMessageItems } = await reader.getQueueClient(name).receiveMessages({ numberOfMessages: 32 });
    // Base64 is what the Functions host decodes.
    return receivedMessageItems.map(({ messageText }) => Buffer.from(messageText, "base64").toString());
  });

  test.each([
    ["no answer", undefined, "storage_unavailable"],
    ["503 ServerBusy", { status: 503, code: "ServerBusy" }, "throttled"],
    ["403", { status: 403, code: "AuthenticationFailed" }, "storage_unavailable"],
  ])("a send that meets %s fails soon, and says that it may have arrived", async (_, answer, code) => {
    const server = createServer((request, response) => {
      request.resume();
      if (answer !== undefined) response.writeHead(answer.status, { "x-ms-error-code": answer.code }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const text = `AccountName=acct;AccountKey=a2V5;TableEndpoint=http://127.0.0.1:1/acct;QueueEndpoint=http://127.0.0.1:${port}/acct`;
    const account = createQueueAccount(parseConnectionString(text, "test", { allowInsecureHttp: false }), {
      clock: systemClock,
      requestTimeoutMs: 1_000,
    });
    const started = performance.now();
    await expect(account.queue("qqq").send("a")).rejects.toMatchObject({ code, effect: "unknown" });
    expect(performance.now() - started).toBeLessThan(3_000);
    server.closeAllConnections();
    server.close();
  });

  test("a connection that does not tell the queues' endpoint says what to set", () => {
    const text = "TableEndpoint=https://tables.example.com/acct;SharedAccessSignature=sv=1&sig=a";
    const tablesOnly = parseConnection({ STREAMKIT_STORAGE: text });
    expect(() => createQueueAccount(tablesOnly, { clock: systemClock })).toThrow(/STREAMKIT_STORAGE.*QueueEndpoint/);
  });
});

// The queues of a local server: messages are rows of one table, so that they are kept as the events are.
//
// Promise: as the service: at least once, unseen for as long as asked, a receipt for whoever has received it last.

import { randomUUID } from "node:crypto";
import type { DequeuedMessageItem, QueueClient } from "@azure/storage-queue";
import type { Clock } from "../../../../src/core/clock.ts";
import { checkMessage, checkQueueName, queueFailure } from "../../../../src/notify/queue.ts";
import type { MessageQueue, QueueAccount } from "../../../../src/notify/queue.ts";
import type { Row, Table, Write } from "../../../../src/table/port.ts";

/** A message's time to live, as the service has it: then it is gone, received or not. */
const lifetimeMs = 7 * 24 * 60 * 60_000;

/** The calls that the local host makes of a queue. */
type Received = Pick<
  QueueClient,
  "name" | "receiveMessages" | "updateMessage" | "deleteMessage" | "sendMessage" | "createIfNotExists"
>;

export class LocalQueues {
  readonly #table: Table;
  readonly #clock: Clock;
  #sent = 0;

  constructor(table: Table, clock: Clock) {
    this.#table = table;
    this.#clock = clock;
  }

  /** How the app sends. */
  readonly account: QueueAccount = {
    queue: (name): MessageQueue => {
      checkQueueName(name);
      // The host reads base64, as it does on Azure.
      const send = (text: string, delayMs: number): Promise<string> => {
        checkMessage(text);
        return this.#send(name, Buffer.from(text).toString("base64"), delayMs);
      };
      return {
        name,
        send: async (text, signal) => {
          if (signal?.aborted) throw queueFailure("storage_unavailable", "the sender gave up", signal.reason);
          await send(text, 0);
        },
        sendLater: async (text, delayMs) => {
          const id = await send(text, Math.ceil(delayMs / 1_000) * 1_000);
          return { id, receipt: id };
        },
        takeBack: async ({ id }) => {
          const { row } = await this.#table.get(name, id);
          if (row?.properties["receipt"] === id) await this.#submit(name, removal(row));
        },
        create: () => this.#table.create(),
        count: async () => (await this.#messages(name)).length,
      };
    },
  };

  /** How the host receives. */
  client(name: string): QueueClient {
    const client: Received = {
      name,
      receiveMessages: async ({ numberOfMessages = 1, visibilityTimeout = 30 } = {}) => {
        const now = this.#clock.now();
        const waiting = (await this.#messages(name)).filter((row) => Number(row.properties["visibleAt"]) <= now);
        const taken = waiting.slice(0, numberOfMessages).map((row) => this.#take(name, row, visibilityTimeout * 1_000));
        const receivedMessageItems = await Promise.all(taken);
        return { receivedMessageItems } as Awaited<ReturnType<QueueClient["receiveMessages"]>>;
      },
      updateMessage: async (id, receipt, _text, visibilityTimeout = 0) => {
        const row = await this.#received(name, id, receipt);
        const popReceipt = await this.#hide(name, row, visibilityTimeout * 1_000, row.properties["count"] as bigint);
        return { popReceipt } as Awaited<ReturnType<QueueClient["updateMessage"]>>;
      },
      deleteMessage: async (id, receipt) => {
        await this.#submit(name, removal(await this.#received(name, id, receipt)));
        return {} as Awaited<ReturnType<QueueClient["deleteMessage"]>>;
      },
      sendMessage: async (text) => {
        const messageId = await this.#send(name, text, 0);
        return { messageId } as Awaited<ReturnType<QueueClient["sendMessage"]>>;
      },
      createIfNotExists: async () => {
        await this.#table.create();
        return { succeeded: true } as Awaited<ReturnType<QueueClient["createIfNotExists"]>>;
      },
    };
    return client as QueueClient;
  }

  async #send(queue: string, text: string, delayMs: number): Promise<string> {
    await this.#table.create();
    const now = this.#clock.now();
    this.#sent += 1;
    // In the order in which they were sent.
    const id = `${String(now).padStart(16, "0")}-${String(this.#sent).padStart(9, "0")}-${randomUUID().slice(0, 8)}`;
    const properties = { text, visibleAt: BigInt(now + delayMs), sentAt: BigInt(now), count: 0n, receipt: id };
    await this.#submit(queue, { kind: "insert", row: id, properties });
    return id;
  }

  async #take(queue: string, row: Row, hiddenMs: number): Promise<DequeuedMessageItem> {
    const count = (row.properties["count"] as bigint) + 1n;
    const popReceipt = await this.#hide(queue, row, hiddenMs, count);
    const sentAt = Number(row.properties["sentAt"]);
    return {
      messageId: row.row,
      popReceipt,
      messageText: row.properties["text"] as string,
      dequeueCount: Number(count),
      insertedOn: new Date(sentAt),
      expiresOn: new Date(sentAt + lifetimeMs),
      nextVisibleOn: new Date(this.#clock.now() + hiddenMs),
    };
  }

  async #hide(queue: string, row: Row, hiddenMs: number, count: bigint): Promise<string> {
    const receipt = randomUUID();
    const properties = { ...row.properties, count, receipt, visibleAt: BigInt(this.#clock.now() + hiddenMs) };
    await this.#submit(queue, { kind: "replace", row: row.row, properties, ifMatch: row.etag });
    return receipt;
  }

  async #received(queue: string, id: string, receipt: string): Promise<Row> {
    const { row } = await this.#table.get(queue, id);
    if (row?.properties["receipt"] === receipt) return row;
    throw new Error(`The message ${id} of queue ${queue} has been received by somebody else, or is gone.`);
  }

  /** All of a queue, oldest first, without those whose time is over: these it removes. */
  async #messages(queue: string): Promise<readonly Row[]> {
    const rows: Row[] = [];
    let continuation: string | undefined;
    do {
      const page = await this.#table.query({ partition: queue, from: "", to: "~" }, { continuation });
      rows.push(...page.rows);
      ({ continuation } = page);
    } while (continuation !== undefined);
    const over = (row: Row): boolean => Number(row.properties["sentAt"]) + lifetimeMs < this.#clock.now();
    for (const row of rows.filter(over)) await this.#submit(queue, removal(row));
    return rows.filter((row) => !over(row));
  }

  async #submit(queue: string, write: Write): Promise<void> {
    const result = await this.#table.submit(queue, [write]);
    if (result.kind === "refused") throw queueFailure("storage_unavailable", `the message is ${result.reason}`);
  }
}

function removal({ row, etag }: Row): Write {
  return { kind: "delete", row, ifMatch: etag };
}

// Queue triggers: polls a storage queue and gives each message to its function.
// Promise: at least once; a message is removed only after its function succeeded, or when it was copied to the poison
// queue after the last of its tries.

import type { DequeuedMessageItem, QueueClient, QueueServiceClient } from "@azure/storage-queue";
import { membersOf, merged, type TriggerMetadata } from "./binding-data.ts";
import type { RpcTypedData } from "./functions-core.ts";
import type { HostLog } from "./log.ts";
import type { QueueSettings } from "./settings.ts";

export interface QueueListenerOptions {
  readonly service: QueueServiceClient;
  readonly queueName: string;
  readonly functionName: string;
  readonly settings: QueueSettings;
  readonly log: HostLog;
  /** One try; true when it succeeded. Must not reject. */
  readonly run: (data: RpcTypedData, metadata: TriggerMetadata) => Promise<boolean>;
}

// A message that is being worked on stays invisible for this long and is renewed at half of it. On Azure it is ten
// minutes: here a process that was killed should not keep its messages from the next one for that long.
const leaseMs = 30_000;
const shortestPollMs = 100;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The text of a message as its function is handed it; undefined when it is not encoded as host.json says, or is no
 * UTF-8.
 */
export function decodeMessage(text: string, encoding: QueueSettings["messageEncoding"]): string | undefined {
  if (encoding === "none") return text;
  const compact = text.trim();
  if (compact.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(compact)) return undefined;
  try {
    return utf8.decode(Buffer.from(compact, "base64"));
  } catch {
    return undefined;
  }
}

export class QueueListener {
  readonly #options: QueueListenerOptions;
  readonly #queue: QueueClient;
  readonly #poison: QueueClient;
  readonly #working = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #unreachable = false;
  #waiting: PromiseWithResolvers<undefined> | undefined;

  constructor(options: QueueListenerOptions) {
    this.#options = options;
    this.#queue = options.service.getQueueClient(options.queueName);
    this.#poison = options.service.getQueueClient(`${options.queueName}-poison`);
  }

  start(): void {
    this.#loop = this.#poll();
  }

  /** Fetches no more; the messages at work go on. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#waiting?.resolve(undefined);
    await this.#loop;
  }

  /** Waits for the messages at work, to the end of their removal. */
  async drain(): Promise<void> {
    await Promise.all(this.#working);
  }

  async #poll(): Promise<void> {
    const { batchSize, newBatchThreshold, maxPollingIntervalMs } = this.#options.settings;
    let idleMs = shortestPollMs;
    while (!this.#stop.signal.aborted) {
      if (this.#working.size > newBatchThreshold) {
        await Promise.race(this.#working);
        continue;
      }
      const messages = await this.#receive(batchSize);
      for (const message of messages) this.#begin(message);
      if (messages.length > 0) {
        idleMs = shortestPollMs;
      } else {
        await this.#pause(idleMs);
        idleMs = Math.min(idleMs * 1.5, Math.max(shortestPollMs, maxPollingIntervalMs));
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    const waiting = (this.#waiting = Promise.withResolvers());
    const timer = setTimeout(waiting.resolve, ms, undefined);
    await waiting.promise;
    clearTimeout(timer);
  }

  /** Nothing while the queue does not exist or does not answer: the next poll may find it. */
  async #receive(numberOfMessages: number): Promise<readonly DequeuedMessageItem[]> {
    try {
      const options = { numberOfMessages, visibilityTimeout: leaseMs / 1000, abortSignal: this.#stop.signal };
      const answer = await this.#queue.receiveMessages(options);
      this.#unreachable = false;
      return answer.receivedMessageItems;
    } catch (error) {
      // Said once, not at every poll.
      const news = !this.#unreachable && !this.#stop.signal.aborted && statusOf(error) !== 404;
      if (news) this.#warn("cannot be polled", error);
      this.#unreachable ||= news;
      return [];
    }
  }

  #begin(message: DequeuedMessageItem): void {
    const work = this.#process(message).catch((error: unknown) => {
      // Its lease runs out and it comes again.
      this.#warn(`message ${message.messageId} could not be settled`, error);
    });
    this.#working.add(work);
    void work.then(() => this.#working.delete(work));
  }

  async #process(message: DequeuedMessageItem): Promise<void> {
    const { settings, run } = this.#options;
    const text = decodeMessage(message.messageText, settings.messageEncoding);
    if (text === undefined) {
      await this.#moveToPoison(message, "its text is not base64 of UTF-8 (see messageEncoding in host.json)");
      return;
    }
    // When a process died with it in its hands the count goes beyond the last try.
    if (message.dequeueCount > settings.maxDequeueCount) {
      await this.#moveToPoison(message, `it was dequeued ${message.dequeueCount} times`);
      return;
    }
    const lease = this.#keepLease(message);
    const succeeded = await run({ string: text }, messageMetadata(message, text));
    const popReceipt = await lease.end();
    if (succeeded) {
      await this.#queue.deleteMessage(message.messageId, popReceipt);
    } else if (message.dequeueCount >= settings.maxDequeueCount) {
      await this.#moveToPoison({ ...message, popReceipt }, `its function failed ${message.dequeueCount} times`);
    } else {
      const seconds = Math.ceil(settings.retryVisibilityMs / 1000);
      await this.#queue.updateMessage(message.messageId, popReceipt, undefined, seconds);
    }
  }

  /** Keeps the message invisible to others until `end`, which gives the receipt that it can be settled with. */
  #keepLease(message: DequeuedMessageItem): { end(): Promise<string> } {
    let receipt = Promise.resolve(message.popReceipt);
    const timer = setInterval(() => {
      receipt = receipt.then(async (current) => {
        try {
          const answer = await this.#queue.updateMessage(message.messageId, current, undefined, leaseMs / 1000);
          return answer.popReceipt ?? current;
        } catch (error) {
          this.#warn(`the lease of message ${message.messageId} could not be renewed`, error);
          return current;
        }
      });
    }, leaseMs / 2);
    return {
      end() {
        clearInterval(timer);
        return receipt;
      },
    };
  }

  async #moveToPoison(message: DequeuedMessageItem, reason: string): Promise<void> {
    const { log, functionName } = this.#options;
    log.write(
      "error",
      `Function.${functionName}`,
      `Message ${message.messageId} goes to ${this.#poison.name}: ${reason}.`,
    );
    await this.#poison.createIfNotExists();
    await this.#poison.sendMessage(message.messageText);
    await this.#queue.deleteMessage(message.messageId, message.popReceipt);
  }

  #warn(what: string, error: unknown): void {
    const { log, functionName, queueName } = this.#options;
    log.write("warning", `Function.${functionName}`, `Queue ${queueName}: ${what}: ${explain(error)}`);
  }
}

/**
 * The members of a message that is a JSON object are in it as well, also where it has one of the queue's own: `id` may
 * be either.
 */
export function messageMetadata(message: DequeuedMessageItem, text: string): TriggerMetadata {
  const json = (value: unknown): RpcTypedData => ({ json: JSON.stringify(value) });
  const own = {
    QueueTrigger: { string: text },
    Id: json(message.messageId),
    PopReceipt: json(message.popReceipt),
    DequeueCount: { int: message.dequeueCount },
    InsertionTime: json(message.insertedOn),
    ExpirationTime: json(message.expiresOn),
    NextVisibleTime: json(message.nextVisibleOn),
  };
  return merged(own, membersOf(text));
}

/** Storage errors of some versions say the most in their code. */
function explain(error: unknown): string {
  const { code } = error as { code?: unknown };
  const message = error instanceof Error ? error.message : String(error);
  return typeof code === "string" ? `${message} (${code})` : message;
}

function statusOf(error: unknown): unknown {
  return (error as { statusCode?: unknown }).statusCode;
}

// The queue port on Azure Queue Storage.
//
// Promise: content is base64, which is what the Functions host expects of a queue trigger and what keeps control
// characters whole. A send ends within its time-out, its one repeat included. The SDK is loaded with the first send:
// starting never waits for it.

import { isRestError } from "@azure/core-rest-pipeline";
import type { QueueClient, QueueServiceClient, StoragePipelineOptions } from "@azure/storage-queue";
import type { Clock } from "../core/clock.ts";
import { invalidArgument, type StoreError } from "../core/errors.ts";
import type { StorageConnection } from "../table/connection.ts";
import { withDeadline } from "../table/deadline.ts";
import { identityCredential } from "../table/identity.ts";
import { checkMessage, checkQueueName, delayMsMax, queueFailure } from "./queue.ts";
import type { MessageQueue, QueueAccount, SentMessage } from "./queue.ts";

export interface QueueAccountOptions {
  readonly clock: Clock;
  /** The time of one send, with a repeat and the creation of the queue, ms. Default 10,000. */
  readonly requestTimeoutMs?: number;
}

export function createQueueAccount(connection: StorageConnection, options: QueueAccountOptions): QueueAccount {
  const endpoint = endpointOf(connection);
  let loaded: Promise<QueueServiceClient> | undefined;
  const client = (): Promise<QueueServiceClient> => (loaded ??= clientOf(connection, endpoint));
  const timeoutMs = options.requestTimeoutMs ?? 10_000;
  return {
    queue: (name) => {
      checkQueueName(name);
      return queueOf(name, async () => (await client()).getQueueClient(name), options.clock, timeoutMs);
    },
  };
}

/** The codes for a message that somebody else has received, or that is gone, alone or with its queue. */
const receivedCodes = ["MessageNotFound", "PopReceiptMismatch", "QueueNotFound"];

function queueOf(name: string, client: () => Promise<QueueClient>, clock: Clock, timeoutMs: number): MessageQueue {
  const within = async <T>(work: (abortSignal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> => {
    const outcome = await withDeadline(clock, timeoutMs, signal, work);
    switch (outcome.kind) {
      case "done":
        return outcome.value;
      case "threw":
        throw failureOf(outcome.error);
      case "timeout":
        throw queueFailure("storage_unavailable", `no answer within ${timeoutMs} ms`);
      case "aborted":
        throw queueFailure("storage_unavailable", "the sender gave up", outcome.reason);
    }
  };
  const send = (text: string, visibilityTimeout: number, signal?: AbortSignal): Promise<SentMessage> => {
    checkMessage(text);
    const content = Buffer.from(text).toString("base64");
    return within(async (abortSignal) => {
      const queue = await client();
      const sendOnce = async (): Promise<SentMessage> => {
        const { messageId, popReceipt } = await queue.sendMessage(content, { abortSignal, visibilityTimeout });
        return { id: messageId, receipt: popReceipt };
      };
      try {
        return await sendOnce();
      } catch (error) {
        if (!isRestError(error) || error.code !== "QueueNotFound") throw error;
        await queue.createIfNotExists({ abortSignal });
        return sendOnce();
      }
    }, signal);
  };
  return {
    name,
    send: async (text, signal) => {
      await send(text, 0, signal);
    },
    sendLater: async (text, delayMs) => send(text, Math.ceil(Math.min(delayMs, delayMsMax) / 1_000)),
    takeBack: ({ id, receipt }) =>
      within(async (abortSignal) => {
        try {
          await (await client()).deleteMessage(id, receipt, { abortSignal });
        } catch (error) {
          if (!isRestError(error) || !receivedCodes.includes(error.code ?? "")) throw error;
        }
      }),
    create: async () => {
      await within(async (abortSignal) => (await client()).createIfNotExists({ abortSignal }));
    },
    count: () =>
      within(async (abortSignal) => {
        try {
          return (await (await client()).getProperties({ abortSignal })).approximateMessagesCount ?? 0;
        } catch (error) {
          if (isRestError(error) && error.statusCode === 404) return 0;
          throw error;
        }
      }),
  };
}

function endpointOf({ queueEndpoint, setting }: StorageConnection): string {
  if (queueEndpoint === undefined) {
    throw invalidArgument(
      setting,
      `the queues' endpoint beside the tables' (QueueEndpoint, or ${setting}__queueServiceUri)`,
    );
  }
  return queueEndpoint;
}

async function clientOf(connection: StorageConnection, endpoint: string): Promise<QueueServiceClient> {
  const { accountName, credential } = connection;
  const { QueueServiceClient, StorageSharedKeyCredential } = await import("@azure/storage-queue");
  // Once again, soon: a message twice is allowed, a commit that waits for its message for seconds is not.
  const options: StoragePipelineOptions = {
    retryOptions: { maxTries: 2, retryDelayInMs: 100, maxRetryDelayInMs: 1_000 },
  };
  switch (credential.kind) {
    case "key": {
      const key = new StorageSharedKeyCredential(accountName, credential.key.reveal());
      return new QueueServiceClient(endpoint, key, options);
    }
    case "sas":
      return new QueueServiceClient(`${endpoint}?${credential.signature.reveal()}`, undefined, options);
    case "identity":
      return new QueueServiceClient(endpoint, identityCredential(credential), options);
  }
}

function failureOf(error: unknown): StoreError {
  const { status, code } = isRestError(error)
    ? { status: error.statusCode, code: error.code }
    : { status: undefined, code: error instanceof Error ? error.name : "an error" };
  const throttled = status === 429 || (status === 503 && code === "ServerBusy");
  const what =
    status === undefined ? (code ?? "no answer") : `the service answered ${status} ${code ?? "without a code"}`;
  return queueFailure(throttled ? "throttled" : "storage_unavailable", what, error);
}

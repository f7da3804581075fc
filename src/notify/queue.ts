// The port to the queues of one storage account, as far as sending goes: receiving is the Functions host's.
//
// Promise: at least once, in no order. A send that rejects may have arrived all the same.

import { StoreError, invalidArgument } from "../core/errors.ts";
import { limits } from "../core/limits.ts";

export interface MessageQueue {
  readonly name: string;
  /**
   * Any text up to `limits.messageBytesMax` bytes of UTF-8, or `invalid_argument`. Creates the queue when it is missing.
   * Rejects with `throttled` or `storage_unavailable`, effect unknown.
   */
  send(text: string, signal?: AbortSignal): Promise<void>;
  /** Creates the queue unless it exists. */
  create(): Promise<void>;
  /** About how many messages are in it; 0 when there is no such queue. Rejects as `send` does. */
  count(): Promise<number>;
}

export interface QueueAccount {
  /** `name`: 3 to 63 lower-case letters, digits and single dashes. Does no request. */
  queue(name: string): MessageQueue;
}

/** `field`: what it is called where it was given. */
export function checkQueueName(name: string, field = "queue"): void {
  if (name.length < 3 || name.length > 63 || !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) {
    throw invalidArgument(field, "3 to 63 lower-case letters, digits and single dashes", name);
  }
}

export function checkMessage(text: string): void {
  const bytes = Buffer.byteLength(text);
  if (bytes > limits.messageBytesMax) {
    throw invalidArgument("message", `at most ${limits.messageBytesMax} bytes of UTF-8`, bytes);
  }
}

/** A message that may not have been taken. */
export function queueFailure(code: "throttled" | "storage_unavailable", what: string, cause?: unknown): StoreError {
  return new StoreError(code, `A queue message may not have been taken: ${what}.`, { effect: "unknown", cause });
}

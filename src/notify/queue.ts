// The port to the queues of one storage account, as far as sending goes: receiving is the Functions host's.
//
// Promise: at least once, in no order. A send that rejects may have arrived all the same.

import { StoreError, invalidArgument } from "../core/errors.ts";
import { limits } from "../core/limits.ts";

/** Which message it was, for who sent it. */
export interface SentMessage {
  readonly id: string;
  readonly receipt: string;
}

/** How long a message may be kept from everybody: the service's own limit, ms. */
export const delayMsMax = 7 * 24 * 60 * 60_000;

export interface MessageQueue {
  readonly name: string;
  /**
   * Any text up to `limits.messageBytesMax` bytes of UTF-8, or `invalid_argument`. Creates the queue when it is
   * missing. Rejects with `throttled` or `storage_unavailable`, effect unknown.
   */
  send(text: string, signal?: AbortSignal): Promise<void>;
  /** As `send`. Nobody receives it before `delayMs` are over: whole seconds, rounded up, at most `delayMsMax`. */
  sendLater(text: string, delayMs: number): Promise<SentMessage>;
  /** Takes back a message that nobody has received yet; nothing when somebody has. Rejects as `send` does. */
  takeBack(message: SentMessage): Promise<void>;
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

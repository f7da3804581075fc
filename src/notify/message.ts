// The messages of status notifications: how they are written, split and read.
//
// Message (JSON): `{ "version": 1, "store", "space", "statuses": [{ space, segment, firstSequence, firstTimestamp, lastSequence,
// lastTimestamp }] }`. Readers ignore members that they do not know; what changes the meaning of one is another version.

import { createHash } from "node:crypto";

import * as z from "zod";

import type { SegmentStatus } from "../core/entry.ts";
import { invalidArgument, StoreError } from "../core/errors.ts";
import type { SubscriptionId } from "../core/ids.ts";
import { parseSegmentName, parseSpaceName, parseStoreId, parseSubscriptionId } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import type { StatusNotification } from "../store/notifier.ts";

export const messageVersion = 1;

/** What every message leaves free: the dispatcher writes a subscription's id into those it sends again. */
const spareBytes = 256;

export interface StatusMessage extends StatusNotification {
  /** For this subscription alone: what could not be delivered to it at once. */
  readonly subscription: SubscriptionId | undefined;
}

/** The fewest messages that hold all statuses, in their order. */
export function messagesOf(notification: StatusNotification): readonly string[] {
  const { store, space, statuses } = notification;
  const head = headText({ store, space });
  const room = limits.messageBytesMax - spareBytes - Buffer.byteLength(head) - "]}".length;
  const messages: string[] = [];
  let parts: string[] = [];
  let bytes = 0;
  for (const status of statuses) {
    const text = statusText(status);
    const size = Buffer.byteLength(text) + 1;
    if (parts.length > 0 && bytes + size > room) {
      messages.push(messageOf(head, parts));
      parts = [];
      bytes = 0;
    }
    parts.push(text);
    bytes += size;
  }
  if (parts.length > 0) messages.push(messageOf(head, parts));
  return messages;
}

/** What a subscription's target is given: the statuses it wants, in one message. */
export function deliveryText({ store, space, statuses }: StatusNotification): string {
  return messageOf(headText({ store, space }), statuses.map(statusText));
}

/** The same, for the dispatcher to try again. */
export function retryText({ store, space, statuses }: StatusNotification, subscription: SubscriptionId): string {
  return messageOf(headText({ store, space, subscription }), statuses.map(statusText));
}

/** The same for the same content, so that a repeat is known as one. */
export function messageId(subscription: SubscriptionId, text: string): string {
  const digest = createHash("sha256").update(`${subscription}\n${text}`).digest("hex");
  return `msg_${digest.slice(0, 32)}`;
}

/** From its text, or from what the host has made of it. `invalid_argument` for anything else. */
export function parseMessage(message: unknown): StatusMessage {
  const parsed = messageSchema.safeParse(typeof message === "string" ? jsonOf(message) : message);
  if (parsed.success) {
    const { store, space, statuses, subscription } = parsed.data;
    return { store, space, statuses, subscription };
  }
  const issue = parsed.error.issues[0];
  throw invalidArgument(["message", ...(issue?.path ?? [])].join("."), issue?.message ?? "a status notification");
}

/** Names were checked when they were written; a message may have come from anywhere. */
function checked<T>(parse: (text: string) => T) {
  return z.string().transform((text, context): T => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      context.addIssue({ code: "custom", message: error.message });
      return z.NEVER;
    }
  });
}

const count = z.int({ error: "an integer" }).min(0, { error: "an integer from 0" });
const space = checked(parseSpaceName);
const statusSchema = z.object({
  space,
  segment: checked(parseSegmentName),
  firstSequence: count,
  firstTimestamp: count,
  lastSequence: count,
  lastTimestamp: count,
});
const messageSchema = z.object({
  version: z.literal(messageVersion, { error: String(messageVersion) }),
  store: checked(parseStoreId),
  space,
  statuses: z.array(statusSchema, { error: "an array" }),
  subscription: checked(parseSubscriptionId).optional(),
});

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalidArgument("message", "JSON");
  }
}

function headText(members: Readonly<Record<string, string>>): string {
  return `${JSON.stringify({ version: messageVersion, ...members }).slice(0, -1)},"statuses":[`;
}

function messageOf(head: string, statuses: readonly string[]): string {
  return `${head}${statuses.join(",")}]}`;
}

function statusText(status: SegmentStatus): string {
  const { space, segment, firstSequence, firstTimestamp, lastSequence, lastTimestamp } = status;
  return JSON.stringify({ space, segment, firstSequence, firstTimestamp, lastSequence, lastTimestamp });
}

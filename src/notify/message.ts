// The messages of status notifications: how they are written, split and read.
//
// Message (JSON): `{ "version": 1, "store", "space", "statuses": [{ space, segment, firstSequence, firstTimestamp,
// lastSequence, lastTimestamp }] }`. Readers ignore members that they do not know; what changes the meaning of one is
// another version. A status that is none costs the others nothing.

import { createHash } from "node:crypto";

import * as z from "zod";

import type { SegmentStatus } from "../core/entry.ts";
import { invalidArgument, StoreError } from "../core/errors.ts";
import type { SubscriptionId } from "../core/ids.ts";
import { parseSegmentName, parseSpaceName, parseStoreId, parseSubscriptionId } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import type { LogFields } from "../core/logger.ts";
import { segmentFields } from "../core/logger.ts";
import type { StatusNotification } from "../store/notifier.ts";

export const messageVersion = 1;

/**
 * The room that every message leaves free: the dispatcher adds for whom and since when to those it sends again; at
 * least one id fits.
 */
const spareBytes = 256;

export interface StatusMessage extends StatusNotification {
  /** For these subscriptions alone: what could not be delivered to them at once. Undefined: for all. */
  readonly subscriptions: readonly SubscriptionId[] | undefined;
  /** When it was first put off, milliseconds since 1970, the storage's time. Undefined: it comes for the first time. */
  readonly since: number | undefined;
  /**
   * Where the statuses that cannot be read are in the message, and what was expected there. Each comes with a readable
   * one.
   */
  readonly unreadable: readonly string[];
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

/** Writes the message for a subscription's target: the statuses that it wants. */
export function deliveryText({ store, space, statuses }: StatusNotification): string {
  return messageOf(headText({ store, space }), statuses.map(statusText));
}

/** The fewest messages by which the dispatcher tries again: for these subscriptions alone, or for all. */
export function retryTexts(
  { store, space, statuses }: StatusNotification,
  subscriptions: readonly SubscriptionId[] | undefined,
  since: number,
): readonly string[] {
  const texts = statuses.map(statusText);
  if (subscriptions === undefined) return [messageOf(headText({ store, space, since }), texts)];
  const textFor = (ids: readonly SubscriptionId[]): string =>
    messageOf(headText({ store, space, subscriptions: ids, since }), texts);
  const room = limits.messageBytesMax - Buffer.byteLength(textFor([]));
  const messages: string[] = [];
  let ids: SubscriptionId[] = [];
  let bytes = 0;
  for (const id of subscriptions) {
    const size = id.length + '"",'.length;
    if (ids.length > 0 && bytes + size > room) {
      messages.push(textFor(ids));
      ids = [];
      bytes = 0;
    }
    ids.push(id);
    bytes += size;
  }
  if (ids.length > 0) messages.push(textFor(ids));
  return messages;
}

/** The fields that a log line about a notification has. */
export function notificationFields({ store, space, statuses }: StatusNotification): LogFields {
  return { store, space, ...segmentFields(statuses.map(({ segment }) => segment)) };
}

/** The same for the same content, so that a repeat is known as one. */
export function messageId(subscription: SubscriptionId, text: string): string {
  const digest = createHash("sha256").update(`${subscription}\n${text}`).digest("hex");
  return `msg_${digest.slice(0, 32)}`;
}

/**
 * From its text, or from what the host has made of it. `invalid_argument` for anything else, and when of its statuses
 * none is one.
 */
export function parseMessage(message: unknown): StatusMessage {
  const parsed = messageSchema.safeParse(typeof message === "string" ? jsonOf(message) : message);
  if (!parsed.success) throw noMessage(parsed.error, []);
  const { store, space, statuses: listed, subscription, subscriptions, since } = parsed.data;
  const statuses: SegmentStatus[] = [];
  const refusals: StoreError[] = [];
  for (const [index, one] of listed.entries()) {
    const status = statusSchema.safeParse(one);
    if (status.success) statuses.push(status.data);
    else refusals.push(noMessage(status.error, ["statuses", index]));
  }
  const [refusal] = refusals;
  if (refusal !== undefined && statuses.length === 0) throw refusal;
  const only = subscriptions ?? (subscription === undefined ? undefined : [subscription]);
  return { store, space, statuses, subscriptions: only, since, unreadable: refusals.map((one) => one.message) };
}

function noMessage({ issues: [issue] }: z.ZodError, at: readonly PropertyKey[]): StoreError {
  return invalidArgument(
    ["message", ...at, ...(issue?.path ?? [])].join("."),
    issue?.message ?? "a status notification",
  );
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
  statuses: z.array(z.unknown(), { error: "an array" }),
  /** In messages of former versions. */
  subscription: checked(parseSubscriptionId).optional(),
  subscriptions: z.array(checked(parseSubscriptionId), { error: "an array" }).optional(),
  since: count.optional(),
});

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalidArgument("message", "JSON");
  }
}

function headText(members: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify({ version: messageVersion, ...members }).slice(0, -1)},"statuses":[`;
}

function messageOf(head: string, statuses: readonly string[]): string {
  return `${head}${statuses.join(",")}]}`;
}

function statusText(status: SegmentStatus): string {
  const { space, segment, firstSequence, firstTimestamp, lastSequence, lastTimestamp } = status;
  return JSON.stringify({ space, segment, firstSequence, firstTimestamp, lastSequence, lastTimestamp });
}

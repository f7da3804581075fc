// Consumers: what an operator sets and sees, and what workers fetch, acknowledge and refuse.

import { invalidArgument } from "../core/errors.ts";
import type { Cursor } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { parseCursor } from "../codec/cursor.ts";
import type { Consumer } from "../consumers/consumer.ts";
import type { Acknowledged, Consumers } from "../consumers/consumers.ts";
import type { Which } from "../consumers/parked.ts";
import type { Partition } from "../consumers/partition.ts";
import type { Position } from "../consumers/position.ts";
import type { PartitionStanding, Standing } from "../consumers/state.ts";
import {
  ackBodySchema,
  consumerBodySchema,
  nackBodySchema,
  parkedBodySchema,
  resetBodySchema,
} from "../wire/consumer-schemas.ts";
import { fromOf } from "../wire/consumers.ts";
import { parseObject } from "../wire/parse.ts";
import { filterOf } from "../wire/names.ts";
import {
  consumerAck as ackOperation,
  consumerDelete as deleteOperation,
  consumerGet as getOperation,
  consumerNack as nackOperation,
  consumerParked as parkedOperation,
  consumerPut as putOperation,
  consumerReset as resetOperation,
  consumers as listOperation,
  consumerSettle as settleOperation,
} from "../wire/operations/consumers.ts";
import { bodyText } from "./body.ts";
import { emptyAnswer, endpoint, jsonAnswer } from "./endpoint.ts";

const rulesDefault = {
  maxDeliveries: 5,
  backoffSeconds: [1, 5, 30, 120],
  onPoison: "parkSegment",
  leaseSeconds: 30,
  maxParked: 1_000,
  paused: false,
} as const;

export const consumerPut = endpoint(putOperation, async (services, call) => {
  const { store, consumer } = call.params;
  const body = parseObject(consumerBodySchema, await bodyText(putOperation, call));
  const { spaces, partitions, prefix, where, from, offsets, ...rules } = body;
  if (new Set(spaces).size < spaces.length) throw invalidArgument("spaces", "each space once");
  const consumers = services.consumers(store);
  const kind = await consumers.put(consumer, {
    ...{ ...rulesDefault, ...definedOf(rules), spaces, partitions, filter: filterOf({ prefix, where }) },
    from: fromOf({ from, offsets }),
  });
  const standing = await consumers.standing(consumer, call.connection.signal);
  return jsonAnswer(standingText(standing), kind === "created" ? 201 : 200);
});

export const consumerGet = endpoint(getOperation, async (services, call) => {
  const { store, consumer } = call.params;
  return jsonAnswer(standingText(await services.consumers(store).standing(consumer, call.connection.signal)));
});

export const consumerDelete = endpoint(deleteOperation, async (services, { params }) => {
  await services.consumers(params.store).remove(params.consumer);
  return emptyAnswer;
});

export const consumers = endpoint(listOperation, async (services, { params }) => {
  const all = await services.consumers(params.store).list();
  return jsonAnswer(JSON.stringify({ consumers: all.map(rulesOf) }));
});

export const consumerAck = endpoint(ackOperation, async (services, call) => {
  const { store, consumer } = call.params;
  const { claim, offset, release = false } = parseObject(ackBodySchema, await bodyText(ackOperation, call));
  const answer = await services.consumers(store).acknowledge(consumer, claim, entryOffset(offset), release);
  return jsonAnswer(acknowledgedText(answer));
});

export const consumerNack = endpoint(nackOperation, async (services, call) => {
  const { store, consumer } = call.params;
  const body = parseObject(nackBodySchema, await bodyText(nackOperation, call));
  const { claim, offset, action, delaySeconds, reason = "" } = body;
  if (Buffer.byteLength(reason) > limits.failureReasonBytesMax) {
    throw invalidArgument("reason", `at most ${limits.failureReasonBytesMax} bytes of UTF-8`);
  }
  if (delaySeconds !== undefined && action !== "retry") throw invalidArgument("delaySeconds", "nothing but with retry");
  const answer = await services.consumers(store).fail(consumer, claim, {
    ...{ offset: entryOffset(offset), action, reason },
    delayMs: delaySeconds === undefined ? undefined : 1_000 * delaySeconds,
  });
  if (answer.isParked) services.telemetry.record("streamkit.consumers.parked", 1, { "streamkit.consumer": consumer });
  return jsonAnswer(acknowledgedText(answer));
});

export const consumerReset = endpoint(resetOperation, async (services, call) => {
  const { store, consumer } = call.params;
  const from = fromOf(parseObject(resetBodySchema, await bodyText(resetOperation, call)));
  const all: Consumers = services.consumers(store);
  await all.reset(consumer, from);
  return jsonAnswer(standingText(await all.standing(consumer, call.connection.signal)));
});

export const consumerParked = endpoint(parkedOperation, async (services, call) => {
  const { store, consumer } = call.params;
  const { after = "", limit = 100 } = call.query;
  const page = await services.consumers(store).parked(consumer, { after, limit }, call.connection.signal);
  const parked = page.parked.map((mark) => ({
    ...{ id: mark.id, partition: mark.partition, space: mark.spaceName, segment: mark.segment },
    ...{ sequence: mark.first, offset: mark.offset, reason: mark.reason },
    ...{ failures: mark.failures, parkedAt: mark.parkedAt },
    ...(mark.alone ? { alone: true } : {}),
    ...(mark.replayTo > 0 && !mark.isGone ? { replay: true } : {}),
    ...(mark.isGone ? { gone: true } : {}),
  }));
  const next = page.isMore ? page.parked.at(-1)?.id : undefined;
  return jsonAnswer(JSON.stringify({ parked, ...(next === undefined ? {} : { next }) }));
});

export const consumerSettle = endpoint(settleOperation, async (services, call) => {
  const { store, consumer } = call.params;
  const body = parseObject(parkedBodySchema, await bodyText(settleOperation, call));
  const { action, limit = 1_000 } = body;
  const { changed, isMore } = await services.consumers(store).wish(consumer, whichOf(body), action, limit);
  return jsonAnswer(JSON.stringify({ changed, more: isMore }));
});

/** The offset of an entry; `invalid_argument` for anything else, also for the start of a space. */
export function entryOffset<Text extends string | undefined>(text: Text): Text & Cursor {
  if (text !== undefined) parseCursor(text);
  return text as Text & Cursor;
}

function whichOf({
  ids,
  space,
  segment,
  all = false,
}: Pick<ReturnType<typeof parkedBodySchema.parse>, "ids" | "space" | "segment" | "all">): Which {
  const ways = [ids !== undefined, space !== undefined || segment !== undefined, all].filter(Boolean);
  if (ways.length !== 1) throw invalidArgument("ids", "one of ids, space with segment, and all");
  if (ids !== undefined) return { kind: "ids", ids };
  if (space !== undefined && segment !== undefined) return { kind: "segment", space, segment };
  if (!all) throw invalidArgument("segment", "the space and the segment, both");
  return { kind: "all" };
}

function definedOf<T extends object>(members: T): { [Name in keyof T]-?: NonNullable<T[Name]> } {
  const entries = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Name in keyof T]-?: NonNullable<T[Name]> };
}

function acknowledgedText({ outcome, partition, claim, expiresAt, isParked }: Acknowledged): string {
  const held = claim === undefined ? {} : { claim, expiresAt };
  return JSON.stringify({ outcome, partition, ...held, ...(isParked ? { parked: true } : {}) });
}

function rulesOf(consumer: Consumer) {
  const { name, spaces, partitions, filter, maxDeliveries, backoffSeconds, onPoison, leaseSeconds } = consumer;
  const { maxParked, paused, createdAt, generation } = consumer;
  const where = [...filter.where].flatMap(([key, values]) => [...values].map((value) => `${key}:${value}`));
  return {
    ...{ name, spaces, partitions, prefix: filter.prefixes, where, maxDeliveries, backoffSeconds, onPoison },
    ...{ leaseSeconds, maxParked, paused, createdAt, generation },
  };
}

function standingText({ consumer, partitions, now }: Standing): string {
  const state = partitions.map((one) => partitionState(consumer, one, now));
  return JSON.stringify({ ...rulesOf(consumer), state });
}

function partitionState(
  consumer: Consumer,
  { number, partition, marks, isHeld, lagMs }: PartitionStanding,
  now: number,
) {
  const { holder, expiresAt, token, outstanding, notBefore, acknowledgedAt, gap } = partition;
  const oldest = Math.min(...marks.map(({ parkedAt }) => parkedAt));
  return {
    ...{ partition: number, position: offsetsOf(consumer, partition.position), lagMs, token },
    ...(isHeld ? { holder, expiresAt } : {}),
    outstanding: outstanding !== undefined,
    ...failingOf(partition),
    ...(notBefore > now ? { waitsUntil: notBefore } : {}),
    ...(acknowledgedAt === 0 ? {} : { acknowledgedAt }),
    parked: marks.length,
    ...(marks.length === 0 ? {} : { oldestParkedAt: oldest }),
    ...(gap === undefined ? {} : { trimmed: { from: offsetsOf(consumer, gap.from), to: offsetsOf(consumer, gap.to) } }),
  };
}

function failingOf({ failing }: Partition) {
  if (failing === undefined) return {};
  const { space, segment, sequence } = parseCursor(failing.offset);
  return { failing: { space, segment, sequence, failures: failing.count, reason: failing.reason } };
}

/** A position as an object of spaces and cursors. */
export function offsetsOf({ spaces }: Pick<Consumer, "spaces">, position: Position): Readonly<Record<string, string>> {
  return Object.fromEntries(spaces.map((space, index) => [space, position[index] ?? ""]));
}

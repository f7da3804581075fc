// The consumers of one store, as the calls have them.

import { deliveryKey } from "../codec/transaction.ts";
import type { Entry } from "../core/entry.ts";
import type { ConsumerName, Cursor, TransactionId, WorkerName } from "../core/ids.ts";
import { decodeClaim, encodeClaim } from "./claim.ts";
import type { Claim } from "./claim.ts";
import type { Consumer } from "./consumer.ts";
import type { Failure, Snapshot } from "./decide.ts";
import type { ConsumersInstance, StoreParts } from "./known.ts";
import type { From, PutConsumer } from "./manage.ts";
import { listNames, putConsumer, removeConsumer, resetConsumer } from "./manage.ts";
import type { ParkedMark, Which } from "./parked.ts";
import { listParked, wishParked } from "./parked.ts";
import { encodePartition } from "./partition.ts";
import type { Gap } from "./partition.ts";
import { readSeen } from "./rows.ts";
import type { Settled } from "./settle.ts";
import { settle } from "./settle.ts";
import type { Standing } from "./state.ts";
import { readStanding } from "./state.ts";
import type { Turn } from "./turn.ts";
import { takeTurn } from "./turn.ts";
import type { View } from "./view.ts";

export interface FetchRequest {
  readonly worker: WorkerName;
  /** The same in each repeat of one fetch. */
  readonly request: string;
  readonly entriesMax: number;
  /** Every partition that the worker holds, by its last claim; with what is done of it. */
  readonly held: readonly { readonly claim: string; readonly offset?: Cursor | undefined; readonly release: boolean }[];
  readonly signal: AbortSignal;
}

export interface DeliveredEntry {
  readonly entry: Entry;
  readonly key: TransactionId;
}

/** A partition that the worker holds, with what is new of it. */
export interface Delivery {
  readonly partition: number;
  readonly claim: string;
  readonly expiresAt: number;
  readonly entries: readonly DeliveredEntry[];
  /** Deliveries of the first of them that failed. */
  readonly failures: number;
  readonly isReplay: boolean;
  readonly trimmed: Omit<Gap, "toldIn"> | undefined;
}

export interface Fetched {
  readonly consumer: Consumer;
  readonly deliveries: readonly Delivery[];
  readonly lost: readonly number[];
  readonly over: readonly number[];
  /** Entries that were parked, as their workers went away. */
  readonly parked: number;
  readonly now: number;
  /** Nothing comes before, milliseconds, unless something is committed; undefined: nothing is waited for but that. */
  readonly idleMs: number | undefined;
}

export interface Acknowledged {
  readonly outcome: "done" | "over";
  readonly partition: number;
  /** Undefined: the partition was released. */
  readonly claim: string | undefined;
  readonly expiresAt: number;
  readonly isParked: boolean;
}

/** Errors: `not_found`, `invalid_argument`, `lease_held` (a claim that is lost), and those of the store. */
export interface Consumers {
  put(name: ConsumerName, put: PutConsumer): Promise<"created" | "updated">;
  standing(name: ConsumerName, signal: AbortSignal): Promise<Standing>;
  list(): Promise<readonly Consumer[]>;
  remove(name: ConsumerName): Promise<void>;
  reset(name: ConsumerName, from: From): Promise<void>;
  /** Does not wait. */
  fetch(name: ConsumerName, request: FetchRequest): Promise<Fetched>;
  acknowledge(name: ConsumerName, claim: string, offset: Cursor | undefined, release: boolean): Promise<Acknowledged>;
  fail(name: ConsumerName, claim: string, failure: Failure): Promise<Acknowledged>;
  parked(
    name: ConsumerName,
    page: { readonly after: string; readonly limit: number },
    signal: AbortSignal,
  ): Promise<{ readonly parked: readonly ParkedMark[]; readonly isMore: boolean }>;
  wish(
    name: ConsumerName,
    which: Which,
    action: "replay" | "drop",
    limit: number,
  ): Promise<{ readonly changed: number; readonly isMore: boolean }>;
}

/** Does no request. */
export function createConsumers(instance: ConsumersInstance, parts: StoreParts): Consumers {
  return {
    put: (name, put) => putConsumer(instance, parts, name, put),
    standing: (name, signal) => readStanding(instance, parts, name, signal),
    list: () => listConsumers(parts),
    remove: (name) => removeConsumer(instance, parts, name),
    reset: (name, from) => resetConsumer(instance, parts, name, from),
    fetch: async (name, { held, ...request }) => {
      const claims = held.map(({ claim, ...said }) => ({ claim: decodeClaim(claim), ...said }));
      return fetchedOf(await takeTurn(instance, parts, { name, held: claims, ...request }));
    },
    acknowledge: async (name, text, offset, release) => {
      const claim = decodeClaim(text);
      return settledOf(claim, await settle(instance, parts, name, claim, { kind: "acknowledge", offset, release }));
    },
    fail: async (name, text, failure) => {
      const claim = decodeClaim(text);
      return settledOf(claim, await settle(instance, parts, name, claim, { kind: "fail", ...failure }));
    },
    parked: (name, page, signal) => listParked(instance, parts, name, page, signal),
    wish: (name, which, action, limit) => wishParked(instance, parts, name, which, action, limit),
  };
}

async function listConsumers(parts: StoreParts): Promise<readonly Consumer[]> {
  const consumers: Consumer[] = [];
  for (const name of await listNames(parts)) {
    const { row } = await readSeen(parts.table, name);
    if (row?.kind === "live") consumers.push(row.consumer);
  }
  return consumers;
}

function fetchedOf({ view, held, lost, over, parked }: Turn): Fetched {
  const { consumer, now } = view;
  const waits = held.map(({ snapshot }) => snapshot.partition.notBefore - now).filter((ms) => ms > 0);
  return {
    ...{ consumer, lost, over, parked, now },
    idleMs: waits.length === 0 ? undefined : Math.min(...waits),
    deliveries: held.map(({ number, snapshot, etag, entries, isReplay }) => {
      const { expiresAt, failing, gap } = snapshot.partition;
      const [first] = entries;
      return {
        ...{ partition: number, expiresAt, isReplay },
        claim: encodeClaim(claimOf(view, number, snapshot, etag, view.lookedAt)),
        failures: first !== undefined && failing?.offset === first.offset ? failing.count : 0,
        trimmed: gap === undefined ? undefined : { from: gap.from, to: gap.to },
        entries: entries.map(({ entry, offset }) => {
          return { entry, key: deliveryKey(consumer.life, consumer.generation, offset) };
        }),
      };
    }),
  };
}

function settledOf(former: Claim, { verdict, view, number, snapshot, etag, isParked }: Settled): Acknowledged {
  const { holder, expiresAt } = snapshot.partition;
  const claim = encodeClaim(claimOf(view, number, snapshot, etag, former.lookedAt));
  return {
    ...{ outcome: verdict, partition: number, expiresAt, isParked },
    claim: holder === undefined ? undefined : claim,
  };
}

function claimOf({ consumer }: View, number: number, { partition }: Snapshot, etag: string, lookedAt: number): Claim {
  const { life, revision } = consumer;
  return {
    ...{ life, revision, partition: number, lookedAt, etag },
    ...{ token: partition.token, delivery: partition.delivery },
    properties: encodePartition(consumer, partition),
  };
}

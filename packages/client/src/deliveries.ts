// What a worker fetches, acknowledges and refuses.
//
// Promise: each of these may be sent twice, by the service's own rules: a fetch carries a key of its own, the others
// the number of the delivery that they speak of.

import { jsonCall } from "./calls.ts";
import type { Codec } from "./codecs.ts";
import type { Gap } from "./consumers.ts";
import { entryOf } from "./entries.ts";
import type { Entry, EntryJson } from "./entries.ts";
import type { OperationOptions } from "./options.ts";
import type { Transport } from "./transport.ts";

export interface Delivery<T> {
  readonly partition: number;
  /** For the next call about the partition. */
  readonly claim: string;
  /** By the storage's time. */
  readonly expiresAt: number;
  readonly entries: readonly DeliveredEntry<T>[];
  /** Deliveries of the first entry that failed. */
  readonly failures: number;
  /** Entries that had been parked. */
  readonly isReplay: boolean;
  readonly trimmed: Gap | undefined;
}

/** An entry whose payload is decoded when it is asked for: one that cannot be decoded fails alone. */
export interface DeliveredEntry<T> {
  readonly offset: string;
  /**
   * The same whenever the entry is delivered, until a reset: the `idempotencyKey` of what is produced for it.
   */
  readonly key: string;
  decoded(): ConsumedEntry<T>;
}

export interface ConsumedEntry<T> extends Entry<T> {
  readonly key: string;
}

export interface Fetched<T> {
  /** The partitions that the worker holds now, by these claims, and no others. */
  readonly deliveries: readonly Delivery<T>[];
  /** Partitions whose claims are worth nothing any more: what is worked on of them is another's. */
  readonly lost: readonly number[];
  /** Partitions whose acknowledgement was of a delivery that is over: it changed nothing. */
  readonly over: readonly number[];
}

/** A partition that the worker holds, with how far it came. */
export interface HeldClaim {
  readonly claim: string;
  readonly offset?: string | undefined;
  readonly release?: boolean | undefined;
}

export interface FetchOptions extends OperationOptions {
  /** Every partition that the worker holds. One that is left out is given up as by a process that died. */
  readonly held?: readonly HeldClaim[] | undefined;
  /** Entries of each partition, at most. Default 100. */
  readonly maxEntries?: number | undefined;
  /** When there is nothing yet, wait for so long, and no longer than a third of the lease. Default 0. */
  readonly waitInSeconds?: number | undefined;
}

export interface Failure {
  readonly offset: string;
  /** `retry`: it comes again, later. `park`: it is set aside. `skip`: it counts as done. */
  readonly action: "retry" | "park" | "skip";
  /** Of a retry, in the place of the consumer's own pauses. */
  readonly delaySeconds?: number | undefined;
  /** At most 1 KiB of UTF-8. */
  readonly reason?: string | undefined;
}

export interface Acknowledged {
  /** `over`: it was of a delivery that is over, and changed nothing. */
  readonly outcome: "done" | "over";
  readonly partition: number;
  /** For the next call; undefined when the partition was released. */
  readonly claim?: string;
  readonly expiresAt?: number;
  readonly parked?: true;
}

interface FetchedJson extends Pick<Fetched<unknown>, "lost" | "over"> {
  readonly deliveries: readonly {
    readonly partition: number;
    readonly claim: string;
    readonly expiresAt: number;
    readonly entries: readonly (EntryJson & { readonly key: string })[];
    readonly failures?: number;
    readonly replay?: true;
    readonly trimmed?: Gap;
  }[];
}

export async function fetchDeliveries<T>(
  transport: Transport,
  path: string,
  worker: string,
  { held = [], maxEntries, waitInSeconds, ...options }: FetchOptions,
  codec: Codec<T>,
): Promise<Fetched<T>> {
  const body = { worker, max: maxEntries, wait: waitInSeconds, ack: held };
  const headers = { "idempotency-key": crypto.randomUUID() };
  const { deliveries, lost, over } = (await post(transport, path, body, options, headers)) as FetchedJson;
  return {
    ...{ lost, over },
    deliveries: deliveries.map(({ partition, claim, expiresAt, entries, failures = 0, replay, trimmed }) => ({
      ...{ partition, claim, expiresAt, failures, isReplay: replay === true, trimmed },
      entries: entries.map((entry) => ({
        ...{ offset: entry.offset, key: entry.key },
        decoded: () => ({ ...entryOf(entry, codec), key: entry.key }),
      })),
    })),
  };
}

export async function acknowledge(
  transport: Transport,
  path: string,
  claim: string,
  { offset, release, ...options }: OperationOptions & Omit<HeldClaim, "claim">,
): Promise<Acknowledged> {
  return (await post(transport, path, { claim, offset, release }, options)) as Acknowledged;
}

export async function fail(
  transport: Transport,
  path: string,
  claim: string,
  failure: Failure,
  options: OperationOptions,
): Promise<Acknowledged> {
  return (await post(transport, path, { claim, ...failure }, options)) as Acknowledged;
}

function post(
  transport: Transport,
  path: string,
  body: object,
  options: OperationOptions,
  headers: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  return transport.json({ ...jsonCall("POST", path, body), headers }, options);
}

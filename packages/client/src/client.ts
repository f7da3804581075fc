// Where a program begins: the service, and a store of it.

import { json } from "./codecs.ts";
import type { Codec } from "./codecs.ts";
import { ConsumerClient, listConsumers } from "./consumer-client.ts";
import type { Consumer } from "./consumers.ts";
import { deleteAt, restoreAt } from "./deletion.ts";
import type { DeleteOptions, Deletion } from "./deletion.ts";
import type { Entry } from "./entries.ts";
import type { Credential } from "./credential.ts";
import { followedEntries, follower } from "./follow.ts";
import type { Follower } from "./follow.ts";
import { Jobs } from "./jobs.ts";
import { LeaseClient } from "./lease-client.ts";
import { names } from "./names.ts";
import type { PagedNames } from "./names.ts";
import type { OperationOptions, StreamkitClientOptions } from "./options.ts";
import { encodeName } from "./paths.ts";
import { pagedEntries } from "./read.ts";
import type { PagedEntries } from "./read.ts";
import { severalReading } from "./reading.ts";
import type { EntryFilter, Offsets, ReadBounds } from "./reading.ts";
import { RetentionClient } from "./retention.ts";
import { SpaceClient } from "./space-client.ts";
import { listStores, setLabel } from "./stores.ts";
import type { PagedStores, StoreStatus } from "./stores.ts";
import { Subscriptions } from "./subscriptions.ts";
import { Transport } from "./transport.ts";

export interface Health {
  readonly status: string;
  readonly version: string;
  /** With `deep`: whether the storage answers, and in how many milliseconds. */
  readonly storage?: string;
  readonly ms?: number;
}

export type HealthOptions = OperationOptions & { readonly deep?: boolean | undefined };

export class StreamkitClient {
  readonly #transport: Transport;

  /** `url`: of the function app. `credential`: a key, a token credential, or nothing where none is asked for. */
  constructor(url: string, credential?: Credential, options: StreamkitClientOptions = {}) {
    this.#transport = new Transport(url, credential, options);
  }

  /** `storeId`: a UUID of your choice. No request is made. */
  getStoreClient(storeId: string): StoreClient {
    return new StoreClient(this.#transport, storeId);
  }

  /** In which something is kept, by their ids; deleted ones that can be restored among them. */
  listStores(options: OperationOptions = {}): PagedStores {
    return listStores(this.#transport, options);
  }

  async getHealth(options: HealthOptions = {}): Promise<Health> {
    const query = { deep: options.deep };
    return (await this.#transport.json(
      { method: "GET", path: "/health", query, accept: "application/json" },
      options,
    )) as Health;
  }
}

export type SeveralReadOptions = ReadBounds & EntryFilter & OperationOptions & { readonly offsets: Offsets };

/** Made by `StreamkitClient.getStoreClient`, without a request: a store comes into being with its first record. */
export class StoreClient {
  readonly storeId: string;
  readonly #transport: Transport;
  readonly #path: string;

  /** @internal */
  constructor(transport: Transport, storeId: string) {
    this.storeId = storeId;
    this.#transport = transport;
    this.#path = `/v1/stores/${encodeName(storeId)}`;
  }

  /**
   * Payloads are JSON unless a codec says otherwise; what its segments hold is yours to say:
   * `getSpaceClient<OrderEvent>("orders")`.
   */
  getSpaceClient<T = unknown>(
    spaceName: string,
    options: { readonly codec?: Codec<T> | undefined } = {},
  ): SpaceClient<T> {
    return new SpaceClient(this.#transport, this.storeId, spaceName, options.codec ?? json<T>());
  }

  /** The names of its spaces, in the order of their UTF-8. */
  listSpaces(options: OperationOptions = {}): PagedNames {
    return names(this.#transport, `${this.#path}/spaces`, "spaces", options);
  }

  /** A lease lets one of many processes do something. No request is made. */
  getLeaseClient(key: string): LeaseClient {
    return new LeaseClient(this.#transport, `${this.#path}/leases/${encodeName(key)}`, key);
  }

  /** A consumer shares the entries of spaces between workers, and keeps how far they came. No request is made. */
  getConsumerClient<T = unknown>(
    consumerName: string,
    options: { readonly codec?: Codec<T> | undefined } = {},
  ): ConsumerClient<T> {
    const path = `${this.#path}/consumers/${encodeName(consumerName)}`;
    return new ConsumerClient(this.#transport, path, consumerName, options.codec ?? json<T>());
  }

  /** All of them, in the order of their names, without the state of their partitions. */
  listConsumers(options: OperationOptions = {}): Promise<readonly Consumer[]> {
    return listConsumers(this.#transport, `${this.#path}/consumers`, options);
  }

  /** Its label and its state, also of one that was deleted. */
  async getStatus(options: OperationOptions = {}): Promise<StoreStatus> {
    const call = { method: "GET", path: this.#path, accept: "application/json" } as const;
    return (await this.#transport.json(call, options)) as StoreStatus;
  }

  /** What people call it; undefined takes the label away. Needs the permission to manage. */
  setLabel(label: string | undefined, options: OperationOptions = {}): Promise<StoreStatus> {
    return setLabel(this.#transport, this.#path, label, options);
  }

  /** Work that takes longer than a call may. */
  get jobs(): Jobs {
    return new Jobs(this.#transport, `${this.#path}/jobs`);
  }

  /** How long entries are kept in the spaces that have no policy of their own. */
  get retention(): RetentionClient {
    return new RetentionClient(this.#transport, `${this.#path}/retention`);
  }

  /**
   * Deletes the whole store: when it is answered, nobody reads or writes it any more. Until `removedFrom` it can be
   * restored; after that its id is never used again. Needs the permission to manage.
   */
  delete(options: DeleteOptions): Promise<Deletion | undefined> {
    return deleteAt(this.#transport, this.#path, options);
  }

  /** All of it is there again; `deleted`: it is too late. A store that was not deleted stays as it is. */
  restore(options: OperationOptions = {}): Promise<void> {
    return restoreAt(this.#transport, this.#path, options);
  }

  /** Queues and webhooks that get a message when segments change. */
  get subscriptions(): Subscriptions {
    return new Subscriptions(this.#transport, `${this.#path}/subscriptions`);
  }

  /** Reads the entries that several spaces have now, merged by time. */
  read<T = unknown>(options: SeveralReadOptions & { readonly codec?: Codec<T> | undefined }): PagedEntries<T> {
    const { offsets, codec = json<T>() } = options;
    const open = () => severalReading(`${this.#path}/consume`, offsets, options);
    return pagedEntries(this.#transport, open, codec, options);
  }

  /** Reads the entries of several spaces, then those that come, for as long as you like. */
  follow<T = unknown>(options: SeveralReadOptions & { readonly codec?: Codec<T> | undefined }): Follower<Entry<T>> {
    const { offsets, codec = json<T>() } = options;
    return follower(
      this.#transport,
      followedEntries(severalReading(`${this.#path}/consume`, offsets, options), codec),
      options,
    );
  }
}

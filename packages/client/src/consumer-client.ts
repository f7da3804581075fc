// A consumer: made, looked at, worked for, and told what becomes of what failed.

import { ifThere, jsonCall } from "./calls.ts";
import type { Codec } from "./codecs.ts";
import { runConsumer } from "./consumer-run.ts";
import type { EntryHandler, RunOptions } from "./consumer-run.ts";
import { fromText } from "./consumers.ts";
import type { Consumer, ConsumerFrom, ConsumerState, Parked, SettledParked } from "./consumers.ts";
import type { WantedConsumer, WhichParked } from "./consumers.ts";
import { acknowledge, fail, fetchDeliveries } from "./deliveries.ts";
import type { Acknowledged, Failure, Fetched, FetchOptions } from "./deliveries.ts";
import type { OperationOptions } from "./options.ts";
import type { Call, Transport } from "./transport.ts";

/** Made by `StoreClient.getConsumerClient`, without a request. */
export class ConsumerClient<T> {
  readonly consumerName: string;
  readonly #transport: Transport;
  readonly #path: string;
  readonly #codec: Codec<T>;

  /** @internal */
  constructor(transport: Transport, path: string, consumerName: string, codec: Codec<T>) {
    this.consumerName = consumerName;
    this.#transport = transport;
    this.#path = path;
    this.#codec = codec;
  }

  /** Makes it, or changes its rules: those that are absent have their defaults. */
  async put(wanted: WantedConsumer, options: OperationOptions = {}): Promise<ConsumerState> {
    const { from, ...rules } = wanted;
    return (await this.#json("PUT", "", { ...rules, ...fromText(from) }, options)) as ConsumerState;
  }

  /** With who holds each partition, how far it has come, and how far it is behind. Undefined: there is none. */
  async get(options: OperationOptions = {}): Promise<ConsumerState | undefined> {
    const call: Call = { method: "GET", path: this.#path, accept: "application/json" };
    return (await ifThere(this.#transport.json(call, options))) as ConsumerState | undefined;
  }

  /** With its positions and what is parked; also when there is none. */
  async delete(options: OperationOptions = {}): Promise<void> {
    await ifThere(this.#transport.send({ method: "DELETE", path: this.#path, refutes: () => false }, options));
  }

  /**
   * Sets it back, or ahead. Every claim is lost, what is parked is forgotten, and the keys of entries are others: what
   * is delivered again is produced again.
   */
  async reset(from: ConsumerFrom, options: OperationOptions = {}): Promise<ConsumerState> {
    return (await this.#json("POST", "/reset", fromText(from), options)) as ConsumerState;
  }

  /**
   * Does its work, together with all who run it: calls `onEntry` for each entry, those of a segment in order, and
   * acknowledges what is done. Resolves when `abortSignal` aborts, with nothing left undone that was begun.
   */
  run(onEntry: EntryHandler<T>, options: RunOptions = {}): Promise<void> {
    return runConsumer(this, onEntry, options, this.#transport.backOff);
  }

  /** What `run` is made of: holds partitions, acknowledges, and gets what comes next. */
  fetch(worker: string, options: FetchOptions = {}): Promise<Fetched<T>> {
    return fetchDeliveries(this.#transport, `${this.#path}/fetch`, worker, options, this.#codec);
  }

  /**
   * Everything up to `offset` is done; without one the claim is renewed. The next call needs the claim in the answer.
   */
  ack(
    claim: string,
    options: OperationOptions & { readonly offset?: string | undefined; readonly release?: boolean | undefined } = {},
  ): Promise<Acknowledged> {
    return acknowledge(this.#transport, `${this.#path}/ack`, claim, options);
  }

  /** The entry at `offset` failed. What stands before it is acknowledged, the rest of the delivery comes again. */
  nack(claim: string, failure: Failure, options: OperationOptions = {}): Promise<Acknowledged> {
    return fail(this.#transport, `${this.#path}/nack`, claim, failure, options);
  }

  /** Of each parked segment the first entry that waits. */
  async *listParked(options: OperationOptions = {}): AsyncGenerator<Parked, void, undefined> {
    let after: string | undefined;
    do {
      const call: Call = { method: "GET", path: `${this.#path}/parked`, query: { after }, accept: "application/json" };
      const page = (await this.#transport.json(call, options)) as {
        readonly parked: readonly Parked[];
        readonly next?: string;
      };
      yield* page.parked;
      after = page.next;
    } while (after !== undefined);
  }

  /** Has it delivered again, before what is new. */
  replayParked(which: WhichParked, options: SettleOptions = {}): Promise<SettledParked> {
    return this.#settle("replay", which, options);
  }

  /** Forgets what is there now. */
  dropParked(which: WhichParked, options: SettleOptions = {}): Promise<SettledParked> {
    return this.#settle("drop", which, options);
  }

  async #settle(action: "replay" | "drop", which: WhichParked, options: SettleOptions): Promise<SettledParked> {
    const { limit } = options;
    return (await this.#json("POST", "/parked", { action, ...which, limit }, options)) as SettledParked;
  }

  #json(method: "PUT" | "POST", path: string, body: object, options: OperationOptions): Promise<unknown> {
    return this.#transport.json(jsonCall(method, `${this.#path}${path}`, body), options);
  }
}

export type SettleOptions = OperationOptions & {
  /** So many segments, or entries, at most. Default 1,000. */
  readonly limit?: number | undefined;
};

/** All of a store, without the state of their partitions. */
export async function listConsumers(
  transport: Transport,
  path: string,
  options: OperationOptions,
): Promise<readonly Consumer[]> {
  const answer = await transport.json({ method: "GET", path, accept: "application/json" }, options);
  return (answer as { readonly consumers: readonly Consumer[] }).consumers;
}

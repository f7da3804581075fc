// Subscriptions: who is told, by a queue or a webhook, when segments change.

import { ifThere, jsonCall } from "./calls.ts";
import type { OperationOptions } from "./options.ts";
import { encodeName } from "./paths.ts";
import type { Call, Transport } from "./transport.ts";

export type SubscriptionTarget =
  { readonly queue: string; readonly webhook?: undefined } | { readonly webhook: string; readonly queue?: undefined };

export interface WantedSubscription {
  /** A name, or `*` for any. */
  readonly space: string;
  /** A name, or `*` for any, the default. */
  readonly segment?: string | undefined;
  /** In the place of a segment: those whose names begin so. */
  readonly prefix?: string | undefined;
  readonly target: SubscriptionTarget;
}

export interface Subscription {
  readonly id: string;
  readonly space: string;
  readonly segment: string;
  readonly prefix?: string;
  readonly target: SubscriptionTarget;
  /** Milliseconds since 1970, as all times here. */
  readonly createdAt: number;
  readonly delivered: number;
  readonly failed: number;
  readonly givenUp?: number;
  readonly lastDeliveredAt?: number;
  readonly lastError?: { readonly at: number; readonly reason: string };
  readonly lastGivenUpAt?: number;
  readonly failingSince?: number;
  readonly nextAttemptAt?: number;
  readonly waiting?: number;
  readonly disabledAt?: number;
  /** A webhook's secret, only in the answer to the call that made it. If that answer was lost, use `rotateSecret`. */
  readonly secret?: string;
}

export interface PutSubscriptionOptions extends OperationOptions {
  /** Makes a new secret; for a day messages are signed with the former one, too. */
  readonly rotateSecret?: boolean | undefined;
}

/** Those of one store: `StoreClient.subscriptions`. */
export class Subscriptions {
  readonly #transport: Transport;
  readonly #path: string;

  /** @internal */
  constructor(transport: Transport, path: string) {
    this.#transport = transport;
    this.#path = path;
  }

  /** Makes it, or changes it; enables one that is disabled. It takes effect within 5 seconds. */
  async put(id: string, wanted: WantedSubscription, options: PutSubscriptionOptions = {}): Promise<Subscription> {
    const { space, segment, prefix, target } = wanted;
    const body = { space, segment, prefix, target, rotateSecret: options.rotateSecret };
    const call = jsonCall("PUT", this.#pathOf(id), body);
    return (await this.#transport.json(call, options)) as Subscription;
  }

  /** With how its deliveries go. Undefined: there is none. */
  async get(id: string, options: OperationOptions = {}): Promise<Subscription | undefined> {
    const call: Call = { method: "GET", path: this.#pathOf(id), accept: "application/json" };
    return (await ifThere(this.#transport.json(call, options))) as Subscription | undefined;
  }

  /** Also when there is none. */
  async delete(id: string, options: OperationOptions = {}): Promise<void> {
    await ifThere(this.#transport.send({ method: "DELETE", path: this.#pathOf(id), refutes: () => false }, options));
  }

  /** All of them, in the order of their ids. */
  async list(options: OperationOptions = {}): Promise<readonly Subscription[]> {
    const call: Call = { method: "GET", path: this.#path, accept: "application/json" };
    const { subscriptions } = (await this.#transport.json(call, options)) as {
      readonly subscriptions: readonly Subscription[];
    };
    return subscriptions;
  }

  #pathOf(id: string): string {
    return `${this.#path}/${encodeName(id)}`;
  }
}

// Gives each status notification to the subscriptions that want it.
//
// Promise: at least once. A notification is tried with all who want it, side by side; those with whom it fails get a message of their own
// in the queue, so that only they are tried again: by the queue, until it puts that message with what failed (`-poison`).
// What a subscription is, is known for a few seconds: changes take effect as soon.

import { LRUCache } from "lru-cache";

import type { Clock } from "../core/clock.ts";
import { StoreError } from "../core/errors.ts";
import type { StoreId } from "../core/ids.ts";
import type { Logger } from "../core/log.ts";
import type { Telemetry } from "../core/telemetry.ts";
import type { StatusNotification } from "../store/notifier.ts";
import type { DeliveryReports } from "./delivery-reports.ts";
import { deliveryText, messageId, parseMessage, retryText } from "./message.ts";
import type { MessageQueue, QueueAccount } from "./queue.ts";
import { Rests } from "./rests.ts";
import { wantedStatuses } from "./subscription.ts";
import type { Subscription } from "./subscription.ts";
import type { Subscriptions } from "./subscriptions.ts";
import { checkTarget, parseWebhook } from "./targets.ts";
import type { TargetPolicy } from "./targets.ts";
import type { Delivery, WebhookSender } from "./webhook.ts";

export interface DispatcherDeps {
  /** Where notifications come from: what is to be tried again goes there. */
  readonly queue: MessageQueue;
  /** The queues that messages are delivered to. */
  readonly queues: QueueAccount;
  readonly webhooks: WebhookSender;
  readonly policy: TargetPolicy;
  readonly subscriptions: Pick<Subscriptions, "list">;
  readonly reports: Pick<DeliveryReports, "delivered" | "failed">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly telemetry: Telemetry;
}

/** How long the subscriptions of a store are taken for known. */
export const knownForMs = 5_000;
const storesMax = 1_000;

interface Known {
  readonly at: number;
  readonly subscriptions: Promise<readonly Subscription[]>;
}

export class Dispatcher {
  readonly #deps: DispatcherDeps;
  readonly #rests: Rests;
  readonly #known = new LRUCache<StoreId, Known>({ max: storesMax });

  constructor(deps: DispatcherDeps) {
    this.#deps = deps;
    this.#rests = new Rests(deps.clock);
  }

  /** One message of the queue. Rejects when it is to be tried again. */
  async dispatch(message: unknown): Promise<void> {
    const { subscription: only, ...notification } = parseMessage(message);
    const wanting = (await this.#subscriptionsOf(notification.store)).flatMap((subscription) => {
      if (only !== undefined && subscription.id !== only) return [];
      const statuses = wantedStatuses(subscription, notification);
      return statuses.length === 0 ? [] : [{ subscription, part: { ...notification, statuses } }];
    });
    const outcomes = await Promise.allSettled(
      wanting.map(async ({ subscription, part }) => {
        const delivery = await this.#deliver(subscription, part);
        if (delivery.kind === "delivered") return;
        if (only !== undefined) throw notDelivered(subscription, delivery.reason);
        await this.#deps.queue.send(retryText(part, subscription.id));
      }),
    );
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }

  async #subscriptionsOf(store: StoreId): Promise<readonly Subscription[]> {
    const now = this.#deps.clock.elapsed();
    let known = this.#known.get(store);
    if (known === undefined || now - known.at >= knownForMs) {
      known = { at: now, subscriptions: this.#deps.subscriptions.list(store) };
      this.#known.set(store, known);
    }
    try {
      return await known.subscriptions;
    } catch (error) {
      if (this.#known.peek(store) === known) this.#known.delete(store);
      throw error;
    }
  }

  /** Tries once, and tells how it went. */
  async #deliver(subscription: Subscription, part: StatusNotification): Promise<Delivery> {
    const { log, reports, telemetry } = this.#deps;
    const count = (outcome: "delivered" | "failed" | "rested"): void =>
      telemetry.record("streamkit.notifications.deliveries", 1, { "streamkit.delivery.outcome": outcome });
    const { store } = part;
    const { id } = subscription;
    const target = `${store}/${id}`;
    if (this.#rests.isResting(target)) {
      reports.failed(store, id, undefined);
      count("rested");
      return { kind: "failed", reason: "It rests, having failed several times in a row." };
    }
    const delivery = await this.#send(subscription, part);
    count(delivery.kind);
    if (delivery.kind === "delivered") {
      this.#rests.delivered(target);
      reports.delivered(store, id);
    } else {
      this.#rests.failed(target);
      reports.failed(store, id, delivery.reason);
      log.warn("a status notification was not delivered", { store, subscription: id, reason: delivery.reason });
    }
    return delivery;
  }

  async #send(subscription: Subscription, part: StatusNotification): Promise<Delivery> {
    const { policy, queues, webhooks } = this.#deps;
    const { id, secret, target } = subscription;
    const text = deliveryText(part);
    try {
      if ("queue" in target) {
        checkTarget(policy, target);
        await queues.queue(target.queue).send(text);
        return { kind: "delivered" };
      }
      if (secret === undefined) throw new StoreError("corrupt_data", "The subscription has no secret.");
      const url = parseWebhook(policy, target.webhook);
      return await webhooks.send(url, { id: messageId(id, text), body: text, secret });
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      return { kind: "failed", reason: error.message };
    }
  }
}

function notDelivered({ id }: Subscription, reason: string): StoreError {
  return new StoreError("storage_unavailable", `The subscription ${id} was not delivered to: ${reason}`, {
    effect: "unknown",
  });
}

// How deliveries go, gathered for a moment and then written beside each subscription.
//
// Promise: never fails a delivery and never waits for one. What is not written in time, or when others write the same row
// too often, is lost: counts are about right.

import type { Clock } from "../core/clock.ts";
import type { StoreId, SubscriptionId } from "../core/ids.ts";
import type { Logger } from "../core/log.ts";
import { addReports, nothingDelivered } from "./subscription.ts";
import type { DeliveryReport } from "./subscription.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** One write a subscription and second, however many messages there are. */
const gatherMs = 1_000;

interface Gathered {
  readonly store: StoreId;
  readonly id: SubscriptionId;
  report: DeliveryReport;
}

export class DeliveryReports {
  readonly #subscriptions: Pick<Subscriptions, "report">;
  readonly #clock: Clock;
  readonly #log: Logger;
  #gathered = new Map<string, Gathered>();

  constructor(subscriptions: Pick<Subscriptions, "report">, clock: Clock, log: Logger) {
    this.#subscriptions = subscriptions;
    this.#clock = clock;
    this.#log = log;
  }

  delivered(store: StoreId, id: SubscriptionId): void {
    this.#add(store, id, { ...nothingDelivered, delivered: 1, lastDeliveredAt: this.#clock.now() });
  }

  /** `reason` undefined: for the same reason as before. */
  failed(store: StoreId, id: SubscriptionId, reason: string | undefined): void {
    const lastError = reason === undefined ? undefined : { at: this.#clock.now(), reason };
    this.#add(store, id, { ...nothingDelivered, failed: 1, lastError });
  }

  #add(store: StoreId, id: SubscriptionId, report: DeliveryReport): void {
    if (this.#gathered.size === 0) this.#clock.after(gatherMs, () => void this.#write());
    const key = `${store}/${id}`;
    const known = this.#gathered.get(key);
    if (known === undefined) this.#gathered.set(key, { store, id, report });
    else known.report = addReports(known.report, report);
  }

  async #write(): Promise<void> {
    const gathered = [...this.#gathered.values()];
    this.#gathered = new Map();
    // One after the other: nobody waits for it.
    for (const { store, id, report } of gathered) {
      try {
        await this.#subscriptions.report(store, id, report);
      } catch (error) {
        this.#log.warn("counts of deliveries are lost", { store, subscription: id, error });
      }
    }
  }
}

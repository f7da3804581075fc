// Gathers the outcomes of deliveries for a moment and then writes them beside each subscription.
//
// Promise: it never fails a delivery and never waits for one. Counts that cannot be written in time, or because others
// write the same row too often, are lost: counts are about right. Each change of a subscription's health is one line of
// the log, from the instance that noticed it first.

import type { Clock } from "../core/clock.ts";
import type { StoreId, SubscriptionId } from "../core/ids.ts";
import type { Logger } from "../core/logger.ts";
import { addNews } from "./health.ts";
import type { Change, DeliveryNews } from "./health.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** One write a subscription and second, however many messages there are. */
const gatherMs = 1_000;

/** Further facts about a change, for readers of the log. Callers never see them. */
export type Circumstances = Readonly<Record<string, unknown>>;

interface Gathered {
  readonly store: StoreId;
  readonly id: SubscriptionId;
  news: DeliveryNews;
  circumstances: Circumstances;
}

export class DeliveryReports {
  readonly #subscriptions: Pick<Subscriptions, "report">;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #gathered = new Map<string, Gathered>();

  constructor(subscriptions: Pick<Subscriptions, "report">, clock: Clock, logger: Logger) {
    this.#subscriptions = subscriptions;
    this.#clock = clock;
    this.#logger = logger;
  }

  add(store: StoreId, id: SubscriptionId, news: DeliveryNews, circumstances: Circumstances = {}): void {
    if (this.#gathered.size === 0) this.#clock.after(gatherMs, () => void this.#write());
    const key = `${store}/${id}`;
    const known = this.#gathered.get(key);
    if (known === undefined) {
      this.#gathered.set(key, { store, id, news, circumstances });
      return;
    }
    known.news = addNews(known.news, news);
    known.circumstances = { ...known.circumstances, ...circumstances };
  }

  async #write(): Promise<void> {
    const gathered = [...this.#gathered.values()];
    this.#gathered = new Map();
    // One after the other: nobody waits for it.
    for (const { store, id, news, circumstances } of gathered) {
      try {
        const changes = await this.#subscriptions.report(store, id, news);
        for (const change of changes) this.#tell(change, { ...circumstances, store, subscription: id });
      } catch (error) {
        this.#logger.warn("counts of deliveries are lost", { store, subscription: id, error });
      }
    }
  }

  #tell(change: Change, fields: Circumstances): void {
    switch (change) {
      case "failing":
        this.#logger.warn("a subscription's target fails: its messages are tried again for a day", fields);
        return;
      case "giving_up":
        this.#logger.warn("notifications of a subscription are given up: its target has failed too long", fields);
        return;
      case "recovered":
        this.#logger.info("a subscription's target takes messages again", fields);
        return;
      case "disabled":
        this.#logger.warn("a subscription is disabled: its webhook answered 410", fields);
        return;
    }
  }
}

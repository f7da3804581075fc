// Gives each status notification to the subscriptions that want it.
//
// Promise: at least once, until it is given up after a day. The dispatcher tries a notification with all subscriptions
// that want it, side by side, and its invocation ends soon, whatever their targets do: a delivery that fails, rests or
// takes long waits in the queue of retries, for its subscription alone. If the process dies, unfinished work is still
// in one of the two queues. The dispatcher keeps its picture of the subscriptions for a few seconds, so changes take
// effect that fast.

import { LRUCache } from "lru-cache";

import type { Clock, Random } from "../core/clock.ts";
import { StoreError } from "../core/errors.ts";
import type { StoreId, SubscriptionId } from "../core/ids.ts";
import type { LogFields, Logger } from "../core/logger.ts";
import type { StatusNotification } from "../store/notifier.ts";
import { pauseMs } from "./back-off.ts";
import { Courier } from "./courier.ts";
import type { CourierDeps, Errand, Left } from "./courier.ts";
import { notificationFields, parseMessage, retryTexts } from "./message.ts";
import type { StatusMessage } from "./message.ts";
import type { MessageQueue } from "./queue.ts";
import { wantedStatuses } from "./subscription.ts";
import type { Subscription } from "./subscription.ts";
import type { Subscriptions } from "./subscriptions.ts";

export interface DispatcherDeps extends CourierDeps {
  readonly subscriptions: Pick<Subscriptions, "list">;
}

/** How long the subscriptions of a store are taken for known. */
export const knownForMs = 5_000;
const storesMax = 1_000;

type Readable = Omit<StatusMessage, "unreadable">;

interface Known {
  readonly at: number;
  readonly subscriptions: Promise<readonly Subscription[]>;
}

export class Dispatcher {
  readonly #subscriptions: Pick<Subscriptions, "list">;
  readonly #retries: MessageQueue;
  readonly #clock: Clock;
  readonly #serviceClock: DispatcherDeps["serviceClock"];
  readonly #random: Random;
  readonly #courier: Courier;
  readonly #logger: Logger;
  readonly #known = new LRUCache<StoreId, Known>({ max: storesMax });

  constructor(deps: DispatcherDeps) {
    this.#subscriptions = deps.subscriptions;
    this.#retries = deps.retries;
    this.#clock = deps.clock;
    this.#serviceClock = deps.serviceClock;
    this.#random = deps.random;
    this.#logger = deps.logger;
    this.#courier = new Courier(deps);
  }

  /** One message, of either queue. Rejects when it is to be tried again by the host: it could not be put off. */
  async dispatch(message: unknown): Promise<void> {
    let fields: LogFields = {};
    try {
      const { unreadable, ...parsed } = parseMessage(message);
      fields = notificationFields(parsed);
      const { store, space } = parsed;
      for (const reason of unreadable) {
        this.#logger.error("a status in a notification cannot be read and is left out", { store, space, reason });
      }
      await this.#dispatch(parsed);
    } catch (error) {
      const what = "a status notification was not dispatched";
      // A target or the storage that fails is told in one line, as often as it may be.
      if (error instanceof StoreError && error.code !== "internal" && error.code !== "corrupt_data") {
        this.#logger.warn(what, { ...fields, code: error.code, reason: error.message });
      } else {
        this.#logger.error(what, { ...fields, error });
      }
      throw error;
    }
  }

  async #dispatch(parsed: Readable): Promise<void> {
    let all: readonly Subscription[];
    try {
      all = await this.#subscriptionsOf(parsed.store);
    } catch (error) {
      // The subscriptions of a deleted store are hidden with it: nobody is to be told.
      if (error instanceof StoreError && error.code === "deleted") return;
      if (!isPassing(error)) throw error;
      // The storage may fail for longer than the host tries.
      await this.#putOff(parsed, parsed.subscriptions, parsed.since);
      return;
    }
    const outcomes = await Promise.allSettled(errandsOf(parsed, all).map((errand) => this.#courier.run(errand)));
    const left = outcomes.flatMap((outcome) =>
      outcome.status === "fulfilled" && outcome.value !== undefined ? [outcome.value] : [],
    );
    await Promise.all(together(left).map((some) => this.#retryAll(parsed, some)));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }

  /**
   * Some that are due at about the same time, in as few messages as there can be: a store's cost is by its
   * notifications.
   */
  async #retryAll(notification: StatusNotification, some: readonly Left[]): Promise<void> {
    const delayMs = Math.max(...some.map((one) => one.delayMs));
    const since = Math.min(...some.map((one) => one.since));
    const ids = some.map(({ subscription }) => subscription);
    for (const text of retryTexts(notification, ids, since)) await this.#retries.sendLater(text, delayMs);
  }

  async #putOff(
    notification: StatusNotification,
    subscriptions: readonly SubscriptionId[] | undefined,
    since = this.#serviceClock.now(),
  ): Promise<void> {
    const delayMs = pauseMs(this.#serviceClock.now() - since, this.#random.fraction());
    for (const text of retryTexts(notification, subscriptions, since)) await this.#retries.sendLater(text, delayMs);
  }

  async #subscriptionsOf(store: StoreId): Promise<readonly Subscription[]> {
    const now = this.#clock.elapsed();
    let known = this.#known.get(store);
    if (known === undefined || now - known.at >= knownForMs) {
      known = { at: now, subscriptions: this.#subscriptions.list(store) };
      this.#known.set(store, known);
    }
    try {
      return await known.subscriptions;
    } catch (error) {
      if (this.#known.peek(store) === known) this.#known.delete(store);
      throw error;
    }
  }
}

function errandsOf({ subscriptions: only, since, ...notification }: Readable, all: readonly Subscription[]) {
  return all.flatMap((subscription): readonly Errand[] => {
    if (subscription.report.health.kind === "disabled") return [];
    if (only !== undefined && !only.includes(subscription.id)) return [];
    const statuses = wantedStatuses(subscription, notification);
    return statuses.length === 0 ? [] : [{ subscription, part: { ...notification, statuses }, since }];
  });
}

/** Groups the retries whose delays differ by less than a factor of two. */
function together(left: readonly Left[]): readonly (readonly Left[])[] {
  const groups = new Map<number, Left[]>();
  for (const one of left) {
    const doublings = Math.floor(Math.log2(Math.max(1, one.delayMs)));
    const group = groups.get(doublings);
    if (group === undefined) groups.set(doublings, [one]);
    else group.push(one);
  }
  return [...groups.values()];
}

function isPassing(error: unknown): boolean {
  return error instanceof StoreError && ["storage_unavailable", "throttled", "overloaded"].includes(error.code);
}

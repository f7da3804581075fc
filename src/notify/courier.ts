// Delivers one notification to one subscription: tries it, or says when to try again.
//
// Promise: `run` ends within its patience and two requests to the queue, whatever the target does. A delivery that
// takes longer goes on beside it, and a message in the queue of retries makes it good if the process dies meanwhile;
// that message is taken back when the delivery succeeds.

import type { Clock, Random, ServiceClock } from "../core/clock.ts";
import { StoreError } from "../core/errors.ts";
import type { SubscriptionId } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import type { Logger } from "../core/logger.ts";
import type { Telemetry } from "../core/telemetry.ts";
import type { StatusNotification } from "../store/notifier.ts";
import { givenUpAfterMs, pauseMs } from "./back-off.ts";
import type { DeliveryReports } from "./delivery-reports.ts";
import { noNews } from "./health.ts";
import { deliveryText, messageId, notificationFields, retryTexts } from "./message.ts";
import type { MessageQueue, QueueAccount, SentMessage } from "./queue.ts";
import { Rests } from "./rests.ts";
import { Slots } from "./slots.ts";
import type { Slot } from "./slots.ts";
import type { Subscription } from "./subscription.ts";
import { checkTarget, parseWebhook } from "./targets.ts";
import type { TargetPolicy } from "./targets.ts";
import type { Delivery, WebhookSender } from "./webhook.ts";

export interface CourierDeps {
  /** Where what is to be tried again waits. */
  readonly retries: MessageQueue;
  /** The queues that messages are delivered to. */
  readonly queues: QueueAccount;
  readonly webhooks: WebhookSender;
  readonly policy: TargetPolicy;
  readonly reports: Pick<DeliveryReports, "add">;
  readonly clock: Clock;
  /** The storage's time: what is kept of a subscription is read by other machines. */
  readonly serviceClock: Pick<ServiceClock, "now">;
  readonly random: Random;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
}

export interface Errand {
  readonly subscription: Subscription;
  /** With the statuses that it wants. */
  readonly part: StatusNotification;
  /** When it was first put off; undefined: it comes for the first time. */
  readonly since: number | undefined;
}

/** To be tried again. */
export interface Left {
  readonly subscription: SubscriptionId;
  readonly delayMs: number;
  readonly since: number;
}

type Outcome = "delivered" | "failed" | "rested" | "given_up";

/** For a place, and then for an answer: so an invocation ends well within a second. */
const patienceMs = 400;
/** The retry that insures a slow delivery becomes visible after the delivery's own time-out, with room. */
const insuredMs = 15_000;
/** A target that rests is met by one message, and then by the others one after the other, spread over up to so long. */
const spreadMs = 60_000;

export class Courier {
  readonly #deps: CourierDeps;
  readonly #rests: Rests;
  readonly #slots: Slots;

  constructor(deps: CourierDeps) {
    this.#deps = deps;
    this.#rests = new Rests(deps.clock);
    this.#slots = new Slots(deps.clock);
  }

  /** Undefined: done with, or taken care of. Rejects when it can neither be delivered nor be put off. */
  async run(errand: Errand): Promise<Left | undefined> {
    const { clock, random, serviceClock } = this.#deps;
    const { part, subscription } = errand;
    const target = targetOf(errand);
    const startedAt = clock.elapsed();
    const restMs = this.#rests.left(target, subscription.report.health, serviceClock.now());
    if (restMs !== undefined) {
      this.#count("rested");
      return this.#later(errand, restMs + random.fraction() * Math.min(spreadMs, restMs), 0);
    }
    const slot = await this.#slots.enter(part.store, target, patienceMs);
    if (slot === undefined) return this.#later(errand, 0, 0);
    const delivering = this.#deliver(errand).finally(() => slot.leave());
    const delivery = await this.#within(startedAt + patienceMs, delivering);
    return delivery === "slow" ? this.#insure(errand, slot, delivering) : this.#conclude(errand, delivery);
  }

  async #within(until: number, delivering: Promise<Delivery>): Promise<Delivery | "slow"> {
    const { clock } = this.#deps;
    const slow = Promise.withResolvers<"slow">();
    const cancel = clock.after(Math.max(0, until - clock.elapsed()), () => slow.resolve("slow"));
    try {
      return await Promise.race([delivering, slow.promise]);
    } finally {
      cancel();
    }
  }

  /** Nobody waits for it any longer: the message in the queue does. */
  async #insure(errand: Errand, slot: Slot, delivering: Promise<Delivery>): Promise<Left | undefined> {
    const { retries, serviceClock } = this.#deps;
    slot.slow();
    const { part, subscription, since = serviceClock.now() } = errand;
    let sent: SentMessage[];
    try {
      const texts = retryTexts(part, [subscription.id], since);
      sent = await Promise.all(texts.map((text) => retries.sendLater(text, insuredMs)));
    } catch {
      // Without it the delivery itself is all there is.
      return this.#conclude(errand, await delivering);
    }
    this.#goOn(errand, delivering, sent).catch((error: unknown) => this.#mayRepeat(errand, error));
    return undefined;
  }

  async #goOn(errand: Errand, delivering: Promise<Delivery>, sent: readonly SentMessage[]): Promise<void> {
    const { part, subscription } = errand;
    const delivery = await delivering;
    if (delivery.kind === "failed") {
      // It is tried again by that message.
      this.#failed(errand, delivery);
      if (errand.since === undefined) this.#deps.reports.add(part.store, subscription.id, { ...noNews, waiting: 1 });
      return;
    }
    this.#conclude(errand, delivery);
    for (const message of sent) await this.#deps.retries.takeBack(message);
  }

  /** Notes in the log that a target may get a message once more. */
  #mayRepeat({ part, subscription }: Errand, error: unknown): void {
    const fields = { ...notificationFields(part), subscription: subscription.id };
    this.#deps.logger.warn("a delivery that took long may be made again", { ...fields, error });
  }

  /** Tries once. Rejects only for a mistake of ours. */
  async #deliver({ part, subscription }: Errand): Promise<Delivery> {
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

  #conclude(errand: Errand, delivery: Delivery): Left | undefined {
    const { reports, serviceClock } = this.#deps;
    const { part, since, subscription } = errand;
    const now = serviceClock.now();
    switch (delivery.kind) {
      case "delivered":
        this.#rests.delivered(targetOf(errand));
        this.#count("delivered");
        reports.add(part.store, subscription.id, {
          ...noNews,
          ...{ delivered: 1, lastDeliveredAt: now, waiting: since === undefined ? 0 : -1, change: { kind: "ok" } },
        });
        return undefined;
      case "gone":
        this.#count("failed");
        reports.add(
          part.store,
          subscription.id,
          {
            ...noNews,
            ...{ failed: 1, givenUp: 1, lastGivenUpAt: now, lastError: { at: now, reason: delivery.reason } },
            change: { kind: "disabled", at: now },
          },
          { ...notificationFields(part), reason: delivery.reason },
        );
        return undefined;
      case "failed":
        return this.#later(errand, 0, this.#failed(errand, delivery));
    }
  }

  /** Counts a failure; how long the target is left in peace, ms. */
  #failed({ part, since, subscription }: Errand, delivery: Extract<Delivery, { kind: "failed" }>): number {
    const { random, reports, serviceClock } = this.#deps;
    const { health } = subscription.report;
    const { cause, reason, retryAfterMs = 0 } = delivery;
    const now = serviceClock.now();
    const failingSince = health.kind === "failing" ? health.since : (since ?? now);
    const failingMs = Math.max(0, now - failingSince);
    const pause = Math.max(pauseMs(failingMs, random.fraction()), Math.min(retryAfterMs, givenUpAfterMs));
    this.#rests.failed(targetOf({ part, since, subscription }), pause, failingMs, retryAfterMs > 0);
    this.#count("failed");
    const change = { kind: "failing", since: Math.min(failingSince, now), until: now + pause } as const;
    reports.add(
      part.store,
      subscription.id,
      { ...noNews, failed: 1, lastError: { at: now, reason }, change },
      { ...notificationFields(part), reason, ...(cause === undefined ? {} : { cause }) },
    );
    return pause;
  }

  /** Not before either is over, and by its own age; or given up. */
  #later({ part, since, subscription }: Errand, restMs: number, pauseOfTarget: number): Left | undefined {
    const { random, reports, serviceClock } = this.#deps;
    const now = serviceClock.now();
    const { id, report } = subscription;
    const waitingMs = Math.max(0, now - (since ?? now));
    const waiting = report.health.kind === "failing" ? report.health.waiting : 0;
    const isTooMany = since === undefined && waiting >= limits.waitingPerSubscriptionMax;
    if (isTooMany || waitingMs >= givenUpAfterMs) {
      this.#count("given_up");
      const news = { ...noNews, givenUp: 1, lastGivenUpAt: now, waiting: since === undefined ? 0 : -1 };
      reports.add(part.store, id, news, { space: part.space });
      return undefined;
    }
    if (since === undefined) reports.add(part.store, id, { ...noNews, waiting: 1 });
    const own = restMs > 0 ? 0 : pauseMs(waitingMs, random.fraction());
    // The last try is when a day is over, not hours later.
    const delayMs = Math.max(restMs, pauseOfTarget, Math.min(own, Math.max(1_000, givenUpAfterMs - waitingMs)));
    return { subscription: id, delayMs, since: since ?? now };
  }

  #count(outcome: Outcome): void {
    this.#deps.telemetry.record("streamkit.notifications.deliveries", 1, { "streamkit.delivery.outcome": outcome });
  }
}

function targetOf({ part, subscription }: Errand): string {
  return `${part.store}/${subscription.id}`;
}

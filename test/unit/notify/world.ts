// A dispatcher with simulated queues, a host that gives it their messages, and webhooks that answer as they are told.

import { parseStoreId } from "../../../src/core/ids.ts";
import type { StoreId } from "../../../src/core/ids.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import type { Logger } from "../../../src/core/logger.ts";
import { DeliveryReports } from "../../../src/notify/delivery-reports.ts";
import { Dispatcher } from "../../../src/notify/dispatcher.ts";
import { SimulatedQueues } from "../../doubles/simulated-queue.ts";
import type { Target } from "../../../src/notify/subscription.ts";
import { createSubscriptions } from "../../../src/notify/subscriptions.ts";
import type { Delivery, WebhookMessage } from "../../../src/notify/webhook.ts";
import { ServiceClock } from "../../../src/core/clock.ts";
import { SimulatedAccount } from "../../doubles/simulated-table.ts";
import { VirtualClock } from "../../virtual-clock.ts";
import { recordedTelemetry } from "../telemetry/recorded.ts";
import { id, policy, store, wanted } from "./given.ts";

export const delivered: Delivery = { kind: "delivered" };
export const failed: Delivery = { kind: "failed", reason: "It answered 500." };

export const other = parseStoreId("ffffffff-0000-4000-8000-000000000001");
export const retries = "streamkit-status-retry";

export function world(changes: { readonly reserved?: readonly string[]; readonly logger?: Logger } = {}) {
  const clock = new VirtualClock();
  const account = new SimulatedAccount({ clock });
  const tableOf = (of: StoreId) => account.table(`s${of.replaceAll("-", "")}`);
  for (const of of [store, other]) void tableOf(of).create();
  const queues = new SimulatedQueues({ clock });
  const serviceClock = new ServiceClock(clock);
  const subscriptions = createSubscriptions({
    logger: changes.logger ?? silentLogger,
    table: tableOf,
    policy,
    notifies: true,
    clock,
    serviceClock,
    random: { uuid: () => "", fraction: () => 0 },
    newSecret: () => "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  });
  const sent: { readonly host: string; readonly at: number; readonly message: WebhookMessage }[] = [];
  const answers = new Map<string, () => Delivery | Promise<Delivery>>();
  const telemetry = recordedTelemetry();
  let draw = 0;
  const newDispatcher = (): Dispatcher =>
    new Dispatcher({
      retries: queues.queue(retries),
      queues,
      webhooks: {
        send: async ({ hostname: host }, message) => {
          sent.push({ host, at: clock.elapsed(), message });
          return (answers.get(host) ?? (() => delivered))();
        },
      },
      policy: { ...policy, reservedQueues: changes.reserved ?? policy.reservedQueues },
      subscriptions,
      reports: new DeliveryReports(subscriptions, clock, changes.logger ?? silentLogger),
      clock,
      serviceClock,
      // Spread over its range, the same in each run.
      random: { uuid: () => "", fraction: () => (draw = (draw + 0.37) % 1) },
      logger: changes.logger ?? silentLogger,
      telemetry,
    });
  const subscribe = async (name: string, space: string, segment: string, target: Target): Promise<void> => {
    await subscriptions.put(store, id(name), wanted(space, segment, target));
  };
  /** The host: each queue's messages as they become visible, so many at the same time, until `forMs` are over. */
  const host = async (dispatcher: Dispatcher, forMs: number, stepMs = 1_000): Promise<void> => {
    const runs = new Map(["streamkit-status", retries].map((queue) => [queue, new Set<Promise<void>>()]));
    const endsAt = clock.elapsed() + forMs;
    while (clock.elapsed() < endsAt) {
      for (const [queue, running] of runs) {
        while (running.size < hostMax) {
          const text = queues.take(queue);
          if (text === undefined) break;
          const run = dispatcher.dispatch(text).finally(() => {
            running.delete(run);
          });
          running.add(run);
        }
      }
      await clock.pass(stepMs);
    }
    await Promise.all([...runs.values()].flatMap((running) => [...running]));
  };
  const report = async (name: string) => (await subscriptions.get(store, id(name)))?.report;
  return {
    ...{ clock, account, tableOf, queues, subscriptions, sent, answers, newDispatcher, subscribe, host, report },
    dispatcher: newDispatcher(),
    /** The outcomes of deliveries, in order. */
    outcomes: () =>
      telemetry.attributes("streamkit.notifications.deliveries").map((one) => one["streamkit.delivery.outcome"]),
    to: (host: string) => sent.filter((one) => one.host === host),
  };
}

/**
 * Messages that the Functions host gives a function at the same time: a batch of 16, and half of it before the next.
 */
const hostMax = 24;
export const hourMs = 3_600_000;
export const never = new Promise<Delivery>(() => undefined);

export const at = (host: string): Target => ({ webhook: `https://${host}/hook` });

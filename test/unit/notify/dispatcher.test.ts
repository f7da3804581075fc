// The dispatcher, with simulated queues and webhooks that answer as they are told.

import { expect, test } from "vitest";

import { StoreError } from "../../../src/core/errors.ts";
import { silentLogger } from "../../../src/core/log.ts";
import { DeliveryReports } from "../../../src/notify/delivery-reports.ts";
import { Dispatcher, knownForMs } from "../../../src/notify/dispatcher.ts";
import { deliveryText, messageId, messagesOf, parseMessage } from "../../../src/notify/message.ts";
import { SimulatedQueues } from "../../doubles/simulated-queue.ts";
import type { Target } from "../../../src/notify/subscription.ts";
import { createSubscriptions } from "../../../src/notify/subscriptions.ts";
import type { Delivery, WebhookMessage } from "../../../src/notify/webhook.ts";
import { fates } from "../../doubles/fate.ts";
import { SimulatedAccount } from "../../doubles/simulated-table.ts";
import { VirtualClock } from "../../virtual-clock.ts";
import { recordedTelemetry } from "../telemetry/recorded.ts";
import { id, notification, policy, store, wanted, wantedBy } from "./given.ts";

const delivered: Delivery = { kind: "delivered" };
const failed: Delivery = { kind: "failed", reason: "It answered 500." };

function world(changes: { readonly reserved?: readonly string[] } = {}) {
  const clock = new VirtualClock();
  const account = new SimulatedAccount({ clock });
  void account.table("streamkit").create();
  const queues = new SimulatedQueues({ clock });
  const subscriptions = createSubscriptions({
    log: silentLogger,
    table: () => account.table("streamkit"),
    policy,
    notifies: true,
    clock,
    random: { uuid: () => "", fraction: () => 0 },
    newSecret: () => "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  });
  const sent: { readonly host: string; readonly message: WebhookMessage }[] = [];
  const answers = new Map<string, () => Delivery | Promise<Delivery>>();
  const telemetry = recordedTelemetry();
  const newDispatcher = (): Dispatcher =>
    new Dispatcher({
      queue: queues.queue("streamkit-status"),
      queues,
      webhooks: {
        send: async ({ hostname: host }, message) => {
          sent.push({ host, message });
          return (answers.get(host) ?? (() => delivered))();
        },
      },
      policy: { ...policy, reservedQueues: changes.reserved ?? policy.reservedQueues },
      subscriptions,
      reports: new DeliveryReports(subscriptions, clock, silentLogger),
      clock,
      log: silentLogger,
      telemetry,
    });
  const subscribe = async (name: string, space: string, segment: string, target: Target): Promise<void> => {
    await subscriptions.put(store, id(name), wanted(space, segment, target));
  };
  /** Gives the dispatcher what waits in its queue, and puts back what fails, as the host does; so many rounds. */
  const rounds = async (dispatcher: Dispatcher, count: number): Promise<void> => {
    for (let round = 0; round < count; round += 1) {
      const waiting = [...queues.messages("streamkit-status")];
      for (const text of waiting) {
        queues.take("streamkit-status");
        await dispatcher.dispatch(text).catch(() => queues.queue("streamkit-status").send(text));
      }
      await clock.pass(10_000);
    }
  };
  return {
    clock,
    account,
    queues,
    subscriptions,
    sent,
    answers,
    dispatcher: newDispatcher(),
    newDispatcher,
    subscribe,
    rounds,
    /** The outcomes of deliveries, in order. */
    outcomes: () =>
      telemetry.attributes("streamkit.notifications.deliveries").map((one) => one["streamkit.delivery.outcome"]),
  };
}

const at = (host: string): Target => ({ webhook: `https://${host}/hook` });
const [text = ""] = messagesOf(notification("orders", "a", "b"));

test("a notification goes to all who want it, each with the statuses that it wants", async () => {
  const { dispatcher, queues, sent, subscribe } = world();
  await subscribe("all", "orders", "*", at("all.test"));
  await subscribe("one", "orders", "b", at("one.test"));
  await subscribe("everywhere", "*", "a", { queue: "sub-everywhere" });
  await subscribe("other-segment", "orders", "c", at("other.test"));
  await subscribe("other-space", "payments", "*", at("other.test"));
  await dispatcher.dispatch(JSON.parse(text));
  const bodies = Object.fromEntries(sent.map(({ host, message }) => [host, message.body]));
  expect(bodies).toEqual({
    "all.test": deliveryText(notification("orders", "a", "b")),
    "one.test": deliveryText(notification("orders", "b")),
  });
  expect(queues.messages("sub-everywhere")).toEqual([deliveryText(notification("orders", "a"))]);
  expect(queues.messages("streamkit-status")).toEqual([]);
});

test("a subscription by prefix gets the segments whose names begin so, and no others", async () => {
  const { dispatcher, queues, subscriptions } = world();
  await subscriptions.put(store, id("a"), wantedBy("orders", "order-", { queue: "sub-a" }));
  const [message] = messagesOf(notification("orders", "order", "order-", "order-1", "order.", "x-order-1"));
  await dispatcher.dispatch(message);
  expect(queues.messages("sub-a")).toEqual([deliveryText(notification("orders", "order-", "order-1"))]);
});

test("with whom it fails gets a message of its own, and nobody else is told again", async () => {
  const { answers, dispatcher, queues, rounds, sent, subscribe } = world();
  let failures = 2;
  answers.set("failing.test", () => ((failures -= 1) >= 0 ? failed : delivered));
  await subscribe("failing", "orders", "b", at("failing.test"));
  await subscribe("well", "orders", "*", at("well.test"));
  await dispatcher.dispatch(text);
  const [retry] = queues.messages("streamkit-status");
  expect(parseMessage(retry)).toEqual({ ...notification("orders", "b"), subscription: "failing" });
  await rounds(dispatcher, 3);
  expect(sent.map(({ host }) => host).toSorted()).toEqual([
    "failing.test",
    "failing.test",
    "failing.test",
    "well.test",
  ]);
  const messages = sent.filter(({ host }) => host === "failing.test").map(({ message }) => message);
  const body = deliveryText(notification("orders", "b"));
  expect(messages.map((message) => [message.id, message.body])).toEqual(
    Array.from({ length: 3 }, () => [messageId(id("failing"), body), body]),
  );
  expect(queues.messages("streamkit-status")).toEqual([]);
});

test("one that does not answer does not hold up the others", async () => {
  const { answers, dispatcher, sent, subscribe } = world();
  const hanging = Promise.withResolvers<Delivery>();
  answers.set("hanging.test", () => hanging.promise);
  await subscribe("a-hanging", "orders", "*", at("hanging.test"));
  await subscribe("b-well", "orders", "*", at("well.test"));
  const dispatching = dispatcher.dispatch(text);
  await expect.poll(() => sent.map(({ host }) => host)).toEqual(["hanging.test", "well.test"]);
  hanging.resolve(delivered);
  await dispatching;
});

test("a retry that cannot be put into the queue makes the whole be tried again, once all have been tried", async () => {
  const { answers, dispatcher, queues, sent, subscribe, clock } = world();
  answers.set("failing.test", () => failed);
  await subscribe("a-failing", "orders", "*", at("failing.test"));
  await subscribe("b-well", "orders", "*", at("well.test"));
  queues.follow(({ queue }) => (queue === "streamkit-status" ? fates.failed({ kind: "unavailable" }, 5) : undefined));
  const dispatching = expect(dispatcher.dispatch(text)).rejects.toMatchObject({ code: "storage_unavailable" });
  await clock.pass(10);
  await dispatching;
  expect(sent).toHaveLength(2);
});

test("a target that fails again and again rests, and is found to be back", async () => {
  const { answers, clock, dispatcher, rounds, sent, subscribe, subscriptions } = world();
  let isDown = true;
  answers.set("down.test", () => (isDown ? failed : delivered));
  await subscribe("down", "orders", "*", at("down.test"));
  for (let index = 0; index < 10; index += 1) await dispatcher.dispatch(text);
  // Three to learn it; the others were spared.
  expect(sent).toHaveLength(3);
  await clock.pass(2_000);
  const known = await subscriptions.get(store, id("down"));
  expect(known?.report).toMatchObject({ delivered: 0, failed: 10, lastError: { reason: "It answered 500." } });
  // Whoever comes first after the rest finds out.
  await clock.pass(5_000);
  const found = Promise.allSettled([dispatcher.dispatch(text), dispatcher.dispatch(text)]);
  await found;
  expect(sent).toHaveLength(4);
  isDown = false;
  await clock.pass(5_000);
  await rounds(dispatcher, 6);
  expect((await subscriptions.get(store, id("down")))?.report.delivered).toBeGreaterThanOrEqual(10);
});

test("counts are written once for many deliveries, and a table that fails costs no delivery", async () => {
  const { account, clock, dispatcher, sent, subscribe, subscriptions } = world();
  await subscribe("a", "orders", "*", at("a.test"));
  let writes = 0;
  account.observe(() => (writes += 1));
  for (let index = 0; index < 20; index += 1) await dispatcher.dispatch(text);
  await clock.pass(1_500);
  expect(writes).toBe(1);
  expect((await subscriptions.get(store, id("a")))?.report).toMatchObject({ delivered: 20, failed: 0 });
  account.follow((request) => (request.kind === "submit" ? fates.failed({ kind: "unavailable" }, 1) : undefined));
  await dispatcher.dispatch(text);
  await clock.pass(3_000);
  expect(sent).toHaveLength(21);
});

test("subscriptions are read once in a while, and what changes takes effect soon", async () => {
  const { account, clock, dispatcher, sent, subscribe, subscriptions } = world();
  await subscribe("a", "orders", "*", at("a.test"));
  await dispatcher.dispatch(text);
  const before = account.requests;
  await dispatcher.dispatch(text);
  expect(account.requests).toBe(before);
  await subscriptions.remove(store, id("a"));
  await subscribe("b", "orders", "*", at("b.test"));
  await clock.pass(knownForMs);
  await dispatcher.dispatch(text);
  expect(sent.map(({ host }) => host)).toEqual(["a.test", "a.test", "b.test"]);
});

test("subscriptions that cannot be read are tried again, and read again", async () => {
  const { account, clock, dispatcher, sent, subscribe } = world();
  await subscribe("a", "orders", "*", at("a.test"));
  account.follow(() => fates.failed({ kind: "unavailable" }, 1));
  const dispatching = expect(dispatcher.dispatch(text)).rejects.toMatchObject({ code: "storage_unavailable" });
  await clock.pass(10);
  await dispatching;
  account.follow(undefined);
  await dispatcher.dispatch(text);
  expect(sent).toHaveLength(1);
});

test("a retry for a subscription that is gone, or wants it no more, is done with", async () => {
  const { dispatcher, newDispatcher, answers, clock, queues, subscribe, subscriptions, sent } = world();
  answers.set("a.test", () => failed);
  await subscribe("a", "orders", "*", at("a.test"));
  await dispatcher.dispatch(text);
  const [retry] = queues.messages("streamkit-status");
  await subscriptions.put(store, id("a"), wanted("payments", "*", at("a.test")));
  await newDispatcher().dispatch(retry);
  await subscriptions.remove(store, id("a"));
  await newDispatcher().dispatch(retry);
  await clock.pass(10_000);
  expect(sent).toHaveLength(1);
});

test("a target that a deployment allows no more is not delivered to, and says why", async () => {
  const { clock, dispatcher, queues, subscribe, subscriptions } = world({ reserved: ["sub-taken"] });
  await subscribe("a", "orders", "*", { queue: "sub-taken" });
  await dispatcher.dispatch(text);
  expect(queues.messages("sub-taken")).toEqual([]);
  await clock.pass(2_000);
  expect((await subscriptions.get(store, id("a")))?.report.lastError?.reason).toContain(
    "neither this app nor its host",
  );
});

test("each try is counted by how it went", async () => {
  const { answers, dispatcher, outcomes, subscribe } = world();
  answers.set("failing.test", () => failed);
  await subscribe("a-failing", "orders", "*", at("failing.test"));
  await subscribe("b-well", "orders", "*", at("well.test"));
  await dispatcher.dispatch(text);
  expect(outcomes().toSorted()).toEqual(["delivered", "failed"]);
  for (let failures = 0; failures < 10; failures += 1) await dispatcher.dispatch(text);
  expect(outcomes().at(-1)).toBe("delivered");
  expect(outcomes()).toContain("rested");
});

test("what is no notification is refused, to end in the poison queue", async () => {
  const { dispatcher } = world();
  await expect(dispatcher.dispatch("nonsense")).rejects.toBeInstanceOf(StoreError);
  await expect(dispatcher.dispatch({ version: 2 })).rejects.toMatchObject({ code: "invalid_argument" });
});

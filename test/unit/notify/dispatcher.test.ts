// The dispatcher, with simulated queues and webhooks that answer as they are told.

import { describe, expect, test } from "vitest";

import { sleep } from "../../../src/core/clock.ts";
import { deleted, StoreError } from "../../../src/core/errors.ts";
import { limits } from "../../../src/core/limits.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import type { LogFields } from "../../../src/core/logger.ts";
import { knownForMs } from "../../../src/notify/dispatcher.ts";
import { noNews } from "../../../src/notify/health.ts";
import { deliveryText, messageId, messagesOf, parseMessage } from "../../../src/notify/message.ts";
import type { Delivery } from "../../../src/notify/webhook.ts";
import { faults } from "../../doubles/fault.ts";
import { id, notification, store, wanted, wantedBy } from "./given.ts";

import { at, delivered, failed, hourMs, never, other, retries, world } from "./world.ts";
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

test("a notification of a store that was deleted is done with: it goes to nobody, and waits in no queue", async () => {
  const { queues, sent, subscribe, subscriptions, newDispatcher } = world();
  await subscribe("all", "orders", "*", at("all.test"));
  subscriptions.list = () => Promise.reject(deleted({ store }));
  await newDispatcher().dispatch(JSON.parse(text));
  expect(sent).toEqual([]);
  expect(queues.messages(retries)).toEqual([]);
});

test("a status that cannot be read is logged and left out, and the others of its message are delivered", async () => {
  const logged: LogFields[] = [];
  const { dispatcher, queues, subscribe } = world({
    logger: { ...silentLogger, error: (_, fields = {}) => void logged.push(fields) },
  });
  await subscribe("all", "orders", "*", { queue: "sub-all" });
  const { statuses, ...rest } = JSON.parse(text) as { readonly statuses: readonly unknown[] };
  await dispatcher.dispatch({ ...rest, statuses: [{ segment: "spoilt" }, ...statuses] });
  expect(queues.messages("sub-all")).toEqual([deliveryText(notification("orders", "a", "b"))]);
  expect(logged).toEqual([
    { store, space: "orders", reason: expect.stringContaining("message.statuses.0.") as string },
  ]);
  expect(queues.delayed(retries)).toEqual([]);
});

test("a subscription by prefix gets the segments whose names begin so, and no others", async () => {
  const { dispatcher, queues, subscriptions } = world();
  await subscriptions.put(store, id("a"), wantedBy("orders", "order-", { queue: "sub-a" }));
  const [message] = messagesOf(notification("orders", "order", "order-", "order-1", "order.", "x-order-1"));
  await dispatcher.dispatch(message);
  expect(queues.messages("sub-a")).toEqual([deliveryText(notification("orders", "order-", "order-1"))]);
});

test("with whom it fails waits in a queue of its own, and nobody else is told again", async () => {
  const { answers, dispatcher, queues, host, subscribe, to } = world();
  let failures = 2;
  answers.set("failing.test", () => ((failures -= 1) >= 0 ? failed : delivered));
  await subscribe("failing", "orders", "b", at("failing.test"));
  await subscribe("well", "orders", "*", at("well.test"));
  await dispatcher.dispatch(text);
  expect(queues.messages("streamkit-status")).toEqual([]);
  const [retry, ...more] = queues.delayed(retries);
  expect(more).toEqual([]);
  expect(parseMessage(retry?.text)).toMatchObject({ ...notification("orders", "a", "b"), subscriptions: ["failing"] });
  await host(dispatcher, 60_000);
  expect(to("well.test")).toHaveLength(1);
  const messages = to("failing.test").map(({ message }) => [message.id, message.body]);
  const body = deliveryText(notification("orders", "b"));
  expect(messages).toEqual(Array.from({ length: 3 }, () => [messageId(id("failing"), body), body]));
  expect([queues.messages(retries), queues.delayed(retries)]).toEqual([[], []]);
});

test("one that does not answer holds up neither the others nor its own invocation", async () => {
  const { answers, clock, dispatcher, queues, subscribe, to } = world();
  answers.set("hanging.test", () => never);
  await subscribe("a-hanging", "orders", "*", at("hanging.test"));
  await subscribe("b-well", "orders", "*", at("well.test"));
  let isOver = false;
  void dispatcher.dispatch(text).then(() => (isOver = true));
  await clock.pass(1_000);
  expect([to("well.test").length, isOver]).toEqual([1, true]);
  // If this process dies now, that message is what is left.
  expect(queues.delayed(retries).map((one) => parseMessage(one.text).subscriptions)).toEqual([["a-hanging"]]);
});

test("one that answers late gets its message once: what would have made it good is taken back", async () => {
  const { answers, clock, dispatcher, queues, host, report, subscribe, to } = world();
  answers.set("slow.test", async () => {
    await sleep(clock, 3_000);
    return delivered;
  });
  await subscribe("slow", "orders", "*", at("slow.test"));
  await queues.queue("streamkit-status").send(text);
  await host(dispatcher, 120_000);
  expect(to("slow.test")).toHaveLength(1);
  expect(queues.delayed(retries)).toEqual([]);
  expect(await report("slow")).toMatchObject({ delivered: 1, failed: 0, health: { kind: "ok" } });
});

test("a retry that cannot be put into its queue makes the host try the whole again, once all have been tried", async () => {
  const { answers, dispatcher, queues, sent, subscribe, clock } = world();
  answers.set("failing.test", () => failed);
  await subscribe("a-failing", "orders", "*", at("failing.test"));
  await subscribe("b-well", "orders", "*", at("well.test"));
  queues.follow(({ queue }) => (queue === retries ? faults.failed({ kind: "unavailable" }, 5) : undefined));
  const dispatching = expect(dispatcher.dispatch(text)).rejects.toMatchObject({ code: "storage_unavailable" });
  await clock.pass(10);
  await dispatching;
  expect(sent).toHaveLength(2);
});

test("a webhook that is down for twelve hours is tried all the time, more and more seldom, and then gets its message", async () => {
  const { answers, dispatcher, queues, host, report, subscribe, to } = world();
  let isDown = true;
  answers.set("down.test", () => (isDown ? failed : delivered));
  await subscribe("down", "orders", "*", at("down.test"));
  await queues.queue("streamkit-status").send(text);
  await host(dispatcher, 60_000);
  const known = await report("down");
  expect(known).toMatchObject({ delivered: 0, givenUp: 0, lastError: { reason: "It answered 500." } });
  if (known?.health.kind !== "failing") throw new Error(`It is ${known?.health.kind}.`);
  expect(known.health.since).toBeLessThan(known.health.until);
  expect(known.health.waiting).toBe(1);
  await host(dispatcher, 12 * hourMs, 10_000);
  isDown = false;
  const tries = to("down.test").map((one) => one.at);
  await host(dispatcher, 5 * hourMs, 10_000);
  // From 5 s to hours: so many, and never one sooner than the one before by much.
  expect(tries.length).toBeGreaterThanOrEqual(12);
  expect(tries.length).toBeLessThan(40);
  const pauses = tries.slice(1).map((try_, index) => try_ - tries[index]!);
  expect(pauses[0]).toBeLessThan(10_000);
  expect(Math.max(...pauses)).toBeGreaterThan(hourMs);
  expect(to("down.test")).toHaveLength(tries.length + 1);
  expect(await report("down")).toMatchObject({ delivered: 1, givenUp: 0, health: { kind: "ok" } });
  expect([queues.messages(retries), queues.delayed(retries)]).toEqual([[], []]);
});

test("a webhook that is down for more than a day costs the message, and says so; each change is one line of the log", async () => {
  const lines: [string, LogFields | undefined][] = [];
  const write = (message: string, fields?: LogFields): void => void lines.push([message, fields]);
  const { answers, dispatcher, queues, host, report, subscribe } = world({
    logger: { ...silentLogger, info: write, warn: write },
  });
  answers.set("down.test", () => ({ ...failed, cause: "10.1.2.3" }));
  await subscribe("down", "orders", "*", at("down.test"));
  for (const segment of ["a", "b"])
    await queues.queue("streamkit-status").send(messagesOf(notification("orders", segment))[0]!);
  await host(dispatcher, 40 * hourMs, 10_000);
  expect(await report("down")).toMatchObject({ delivered: 0, givenUp: 2, health: { kind: "failing", waiting: 0 } });
  expect([queues.messages(retries), queues.delayed(retries)]).toEqual([[], []]);
  answers.delete("down.test");
  await queues.queue("streamkit-status").send(text);
  await host(dispatcher, 5 * hourMs, 10_000);
  expect(lines.map(([message]) => message.replace(/:.*/, ""))).toEqual([
    "a subscription's target fails",
    "notifications of a subscription are given up",
    "a subscription's target takes messages again",
  ]);
  expect(lines[0]?.[1]).toMatchObject({ store, space: "orders", subscription: "down", cause: "10.1.2.3" });
});

test("Retry-After is honoured, for the whole target", async () => {
  const { answers, dispatcher, queues, host, subscribe, to } = world();
  answers.set("busy.test", () => (to("busy.test").length === 1 ? { ...failed, retryAfterMs: 2 * hourMs } : delivered));
  await subscribe("busy", "orders", "*", at("busy.test"));
  for (const segment of ["a", "b"]) {
    await queues.queue("streamkit-status").send(messagesOf(notification("orders", segment))[0]!);
    await host(dispatcher, 20_000);
  }
  await host(dispatcher, 2 * hourMs - 60_000, 10_000);
  expect(to("busy.test")).toHaveLength(1);
  await host(dispatcher, 10 * 60_000);
  expect(to("busy.test")).toHaveLength(3);
});

test("410 disables the subscription: nothing is sent to it, in any instance, until it is put again", async () => {
  const { answers, clock, dispatcher, newDispatcher, queues, host, report, subscribe, to } = world();
  answers.set("gone.test", () => ({ kind: "gone", reason: "It answered 410." }));
  await subscribe("gone", "orders", "*", at("gone.test"));
  await dispatcher.dispatch(text);
  await clock.pass(knownForMs + 2_000);
  expect(await report("gone")).toMatchObject({ failed: 1, givenUp: 1, health: { kind: "disabled" } });
  for (const one of [dispatcher, newDispatcher()]) await one.dispatch(text);
  await host(dispatcher, 60_000);
  expect(to("gone.test")).toHaveLength(1);
  expect(queues.delayed(retries)).toEqual([]);
  answers.delete("gone.test");
  await subscribe("gone", "orders", "*", at("gone.test"));
  await clock.pass(knownForMs);
  await dispatcher.dispatch(text);
  await clock.pass(2_000);
  expect(await report("gone")).toMatchObject({ delivered: 1, health: { kind: "ok" } });
});

test("a target that fails again and again rests, in other instances too; when it is back all go on soon", async () => {
  const { answers, clock, dispatcher, newDispatcher, host, queues, report, subscribe, to } = world();
  let isDown = true;
  answers.set("down.test", () => (isDown ? failed : delivered));
  await subscribe("down", "orders", "*", at("down.test"));
  for (let index = 0; index < 10; index += 1) await dispatcher.dispatch(text);
  // Three to learn it; the others were spared.
  expect(to("down.test")).toHaveLength(3);
  await host(dispatcher, 10 * 60_000);
  const before = to("down.test").length;
  // One of the ten finds out at a time.
  expect(before).toBeLessThan(30);
  for (let index = 0; index < 10; index += 1) await newDispatcher().dispatch(text);
  expect(to("down.test")).toHaveLength(before);
  isDown = false;
  await host(dispatcher, 20 * 60_000);
  expect(await report("down")).toMatchObject({ delivered: 20, givenUp: 0, health: { kind: "ok" } });
  await clock.pass(2_000);
  expect(queues.delayed(retries)).toEqual([]);
});

test("so many messages wait for a target that fails, and no more; what is beyond is given up and counted", async () => {
  const { answers, clock, dispatcher, newDispatcher, queues, report, subscribe, subscriptions } = world();
  answers.set("down.test", () => failed);
  await subscribe("down", "orders", "*", at("down.test"));
  await dispatcher.dispatch(text);
  await clock.pass(2_000);
  const waiting = limits.waitingPerSubscriptionMax - 1;
  await subscriptions.report(store, id("down"), { ...noNews, waiting });
  const later = newDispatcher();
  const messages = queues.delayed(retries).length;
  for (let index = 0; index < 5; index += 1) await later.dispatch(text);
  await clock.pass(2_000);
  expect(queues.delayed(retries)).toHaveLength(messages);
  expect(await report("down")).toMatchObject({ givenUp: 5, health: { waiting: waiting + 1 } });
});

describe("a store with a hundred subscriptions to a target that hangs", () => {
  /**
   * Its notifications, so many a second, beside those of another store; how late those were told, and what the queues
   * had to take.
   */
  async function feel() {
    const { answers, clock, dispatcher, queues, host, subscribe, subscriptions, to } = world();
    answers.set("hanging.test", () => sleep(clock, 10_000).then((): Delivery => failed));
    for (let index = 0; index < limits.subscriptionsPerStoreMax; index += 1) {
      await subscribe(`s${index}`, "orders", "*", at("hanging.test"));
    }
    await subscriptions.put(other, id("well"), wanted("orders", "*", at("well.test")));
    let sends = 0;
    queues.follow(({ queue }) => {
      if (queue === retries) sends += 1;
      return undefined;
    });
    const givenAt: number[] = [];
    const hosting = host(dispatcher, 22_000, 50);
    for (let second = 0; second < 20; second += 1) {
      for (let index = 0; index < 5; index += 1) {
        void queues.queue("streamkit-status").send(messagesOf(notification("orders", `${second}-${index}`))[0]!);
      }
      const [message = ""] = messagesOf({ ...notification("orders", `${second}`), store: other });
      givenAt.push(clock.elapsed());
      void queues.queue("streamkit-status").send(message);
      await sleep(clock, 1_000);
    }
    await hosting;
    const latest = Math.max(...to("well.test").map((one, index) => one.at - givenAt[index]!));
    return { told: to("well.test").length, latest, sends, tried: to("hanging.test").length };
  }

  test("delays no other store's by a second, and puts a few messages a notification into the queue of retries", async () => {
    const felt = await feel();
    expect(felt.told).toBe(20);
    expect(felt.latest).toBeLessThan(1_000);
    // Of 100 notifications for 100 targets each: 10,000 deliveries that cannot be made.
    expect(felt.sends).toBeLessThan(2_000);
    expect(felt.tried).toBeLessThan(500);
  });
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
  account.follow((request) => (request.kind === "submit" ? faults.failed({ kind: "unavailable" }, 1) : undefined));
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

test("while subscriptions cannot be read their notifications wait, however long that lasts", async () => {
  const { account, clock, dispatcher, host, queues, sent, subscribe } = world();
  await subscribe("a", "orders", "*", at("a.test"));
  account.follow(() => faults.failed({ kind: "unavailable" }, 1));
  await queues.queue("streamkit-status").send(text);
  await host(dispatcher, 2 * hourMs, 10_000);
  expect([sent.length, queues.delayed(retries).length]).toEqual([0, 1]);
  account.follow(undefined);
  await host(dispatcher, 4 * hourMs, 10_000);
  expect(sent).toHaveLength(1);
  await clock.pass(1);
});

test("a retry for a subscription that is gone, or wants it no more, is done with", async () => {
  const { dispatcher, newDispatcher, answers, clock, queues, subscribe, subscriptions, sent } = world();
  answers.set("a.test", () => failed);
  await subscribe("a", "orders", "*", at("a.test"));
  await dispatcher.dispatch(text);
  const retry = queues.delayed(retries)[0]?.text;
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

test("a message that is no notification is refused, and ends in the poison queue", async () => {
  const { dispatcher } = world();
  await expect(dispatcher.dispatch("nonsense")).rejects.toBeInstanceOf(StoreError);
  await expect(dispatcher.dispatch({ version: 2 })).rejects.toMatchObject({ code: "invalid_argument" });
});

// Leases, subscriptions, statuses, trims and webhooks by way of the client.

import { randomBytes, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, expect, test } from "vitest";
import { StreamkitClient, verifyWebhook } from "streamkit-client";
import type { StoreClient } from "streamkit-client";
import { startApp, until } from "../../../test/e2e/harness.ts";
import type { RunningApp } from "../../../test/e2e/harness.ts";
import { FaultyWay, first } from "./faulty-way.ts";

let app: RunningApp;
let way: FaultyWay;
beforeAll(async () => {
  app = await startApp();
  way = await FaultyWay.open(app.url);
});
afterAll(async () => {
  await way.close();
  await app.stop();
});

const retryOptions = { retryDelayInMs: 5, maxRetryDelayInMs: 50 };
const store = (url = app.url): StoreClient =>
  new StreamkitClient(url, undefined, { retryOptions }).getStoreClient(randomUUID());

async function all<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

test("one process at a time holds a lease, and the next begins when it is given back", async () => {
  const lease = store().getLeaseClient("reports/daily");
  let holding = 0;
  const tokens: number[] = [];
  const work = async ({ token }: { readonly token: number }): Promise<number> => {
    holding += 1;
    expect(holding).toBe(1);
    tokens.push(token);
    await sleep(50);
    holding -= 1;
    return token;
  };
  const results = await Promise.all([1, 2, 3].map(() => lease.hold(work, { ttlInSeconds: 2 })));
  expect(results.toSorted()).toEqual([1, 2, 3]);
  expect(tokens).toEqual([1, 2, 3]);
});

test("a lease is renewed for as long as the work takes, and not waited for longer than one wants", async () => {
  const lease = store().getLeaseClient("reports");
  await lease.hold(
    async (_, signal) => {
      await sleep(2_500);
      expect(signal.aborted).toBe(false);
      const other = lease.hold(() => Promise.resolve(), { waitInMs: 10 });
      await expect(other).rejects.toMatchObject({ code: "lease_held", effect: "none" });
    },
    { ttlInSeconds: 1 },
  );
});

test("a lease that cannot be renewed is lost: its work is told, and what it appends is refused", async () => {
  const own = store(way.url);
  const lease = own.getLeaseClient("writer");
  const segment = own.getSpaceClient("orders").getSegmentClient("1");
  const other = new StreamkitClient(app.url).getStoreClient(own.storeId).getLeaseClient("writer");
  await lease.hold(
    async (held, signal) => {
      await segment.append({ payload: 1 }, { lease: held });
      way.plan = ({ method }) => (method === "PUT" ? { kind: "reset", when: "before" } : { kind: "pass" });
      await until("the lease is lost", () => signal.aborted);
      expect(signal.reason).toMatchObject({ code: "lease_lost" });
      // By the storage's clock it lasts a little longer than the work believes.
      await sleep(1_500);
      const later = await other.acquire("someone else", 10);
      await new StreamkitClient(app.url)
        .getStoreClient(own.storeId)
        .getSpaceClient("orders")
        .getSegmentClient("1")
        .append({ payload: 2 }, { lease: later });
      await expect(segment.append({ payload: 3 }, { lease: held })).rejects.toMatchObject({ code: "lease_held" });
    },
    { ttlInSeconds: 1 },
  );
  way.plan = () => ({ kind: "pass" });
  expect((await all(segment.read())).map(({ payload }) => payload)).toEqual([1, 2]);
});

test("work that fails gives its lease back", async () => {
  const lease = store().getLeaseClient("reports");
  const failed = lease.hold(() => Promise.reject(new Error("As planned.")), { ttlInSeconds: 600 });
  await expect(failed).rejects.toThrow("As planned.");
  expect(await lease.hold(({ token }) => Promise.resolve(token), { waitInMs: 0 })).toBe(2);
});

test("subscriptions are made, shown, listed and removed, also when answers are lost", async () => {
  const { subscriptions } = store(way.url);
  way.plan = first({ kind: "reset", when: "after" });
  const wanted = { space: "orders", prefix: "order-", target: { queue: "sub-billing" } };
  expect(await subscriptions.put("billing", wanted)).toMatchObject({ id: "billing", ...wanted, delivered: 0 });
  const hook = await subscriptions.put("shop", { space: "*", target: { webhook: "https://shop.example.com/hook" } });
  expect(hook.secret).toMatch(/^whsec_/);
  expect(await subscriptions.get("shop")).toMatchObject({ id: "shop", segment: "*" });
  expect((await subscriptions.list()).map(({ id }) => id)).toEqual(["billing", "shop"]);
  way.plan = first({ kind: "reset", when: "after" });
  await subscriptions.delete("billing");
  await subscriptions.delete("billing");
  expect(await subscriptions.get("billing")).toBeUndefined();
});

test("statuses are told as they are, then as they change", async () => {
  const orders = store().getSpaceClient("orders");
  for (const name of ["a", "b1", "b2"]) await orders.getSegmentClient(name).append({ payload: 1 });
  const names = (statuses: readonly { readonly segment: string }[]) => statuses.map(({ segment }) => segment);
  expect(names(await all(orders.getStatuses()))).toEqual(["a", "b1", "b2"]);
  expect(names(await all(orders.getStatuses({ prefix: "b" })))).toEqual(["b1", "b2"]);
  await using statuses = orders.followStatuses({ segment: "a" });
  const seen: number[] = [];
  const changing = statuses.caughtUp().then(() => orders.getSegmentClient("a").append({ payload: 2 }));
  for await (const { lastSequence } of statuses) {
    seen.push(lastSequence);
    if (lastSequence === 2) break;
  }
  await changing;
  expect(seen).toEqual([1, 2]);
});

test("a trim removes the oldest, and whoever comes from before it is told the earliest", async () => {
  const logs = store().getSpaceClient("logs");
  const web = logs.getSegmentClient("web");
  const { offset } = await web.append({ payload: 1 });
  await web.append([{ payload: 2 }, { payload: 3 }, { payload: 4 }]);
  expect(await web.trim(3)).toMatchObject({ firstSequence: 3, lastSequence: 4 });
  await expect(all(web.read({ from: 2 }))).rejects.toMatchObject({ code: "trimmed", details: { earliest: 3 } });
  await expect(all(web.follow({ from: 2 }))).rejects.toMatchObject({ code: "trimmed", details: { earliest: 3 } });
  expect((await all(web.read({ from: 2, clamp: true }))).map(({ sequence }) => sequence)).toEqual([3, 4]);
  expect(await logs.getSegmentClient("of nothing").trim(3)).toMatchObject({ firstSequence: 0, lastSequence: 0 });
  expect(await logs.trim({ upToOffset: offset })).toMatchObject({ state: "done" });
  expect(await logs.trim({ beforeTimestamp: Date.now() + 60_000 })).toMatchObject({ state: "done" });
  expect(await all(logs.read())).toEqual([]);
});

const secret = (): string => `whsec_${randomBytes(32).toString("base64")}`;
const message = JSON.stringify({ version: 1, store: randomUUID(), space: "orders", statuses: [] });

function signed(key: string, at = new Date(), body = message): Request {
  const signature = new Webhook(key).sign("msg_1", at, body);
  const timestamp = String(Math.floor(at.getTime() / 1_000));
  const headers = { "webhook-id": "msg_1", "webhook-timestamp": timestamp, "webhook-signature": signature };
  return new Request("http://hooks.example.com", { method: "POST", headers, body });
}

test("a webhook's message is taken when a secret signed it, and only then", async () => {
  const [mine, former] = [secret(), secret()];
  expect(await verifyWebhook(signed(mine), mine)).toEqual(JSON.parse(message));
  expect(await verifyWebhook(signed(former), [mine, former])).toEqual(JSON.parse(message));
  const both = signed(mine);
  both.headers.set("webhook-signature", `v1a,none v1,AAAA ${both.headers.get("webhook-signature") ?? ""}`);
  expect(await verifyWebhook(both, mine)).toEqual(JSON.parse(message));
  const refused = { code: "invalid_signature" };
  await expect(verifyWebhook(signed(former), mine)).rejects.toMatchObject(refused);
  await expect(verifyWebhook(signed(mine, new Date(Date.now() - 600_000)), mine)).rejects.toMatchObject(refused);
  await expect(verifyWebhook(signed(mine, new Date(Date.now() + 600_000)), mine)).rejects.toMatchObject(refused);
  const forged = signed(mine);
  forged.headers.set("webhook-id", "msg_2");
  await expect(verifyWebhook(forged, mine)).rejects.toMatchObject(refused);
  await expect(verifyWebhook(new Request("http://a.example", { method: "POST" }), mine)).rejects.toMatchObject(refused);
  await expect(verifyWebhook(signed(mine), "whsec_")).rejects.toMatchObject({ code: "invalid_argument" });
});

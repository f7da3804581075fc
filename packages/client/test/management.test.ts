// Stores, retention, jobs and deletions by way of the client, against the app; and how a long trim is waited for.

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { StreamkitClient } from "streamkit-client";
import type { Job, SpaceClient, StoreClient } from "streamkit-client";
import { startApp } from "../../../test/e2e/harness.ts";
import type { RunningApp } from "../../../test/e2e/harness.ts";

let app: RunningApp;
beforeAll(async () => {
  // Tables of its own: what is listed are the stores of this file.
  app = await startApp({ env: { STREAMKIT_TABLE_PREFIX: `manage${randomUUID().slice(0, 8)}` } });
});
afterAll(() => app.stop());

const client = (): StreamkitClient => new StreamkitClient(app.url);

/** A store whose space has five entries in two segments. */
async function given(): Promise<{ readonly store: StoreClient; readonly logs: SpaceClient<number> }> {
  const store = client().getStoreClient(randomUUID());
  const logs = store.getSpaceClient<number>("logs/web");
  await logs.getSegmentClient("a").append([{ payload: 1 }, { payload: 2 }, { payload: 3 }]);
  await logs.getSegmentClient("b").append([{ payload: 1 }, { payload: 2 }]);
  return { store, logs };
}

test("stores are listed, one by one and page by page, and labelled", async () => {
  const ids: string[] = [];
  for (let count = 0; count < 3; count += 1) ids.push((await given()).store.storeId);
  ids.sort();
  const listed: string[] = [];
  for await (const { id } of client().listStores()) listed.push(id);
  expect(listed.filter((id) => ids.includes(id))).toEqual(ids);
  const paged: string[] = [];
  for await (const { stores, continuationToken } of client().listStores().byPage({ maxPageSize: 1 })) {
    expect(stores).toHaveLength(1);
    expect(continuationToken === undefined).toBe(stores[0]!.id === listed.at(-1));
    paged.push(stores[0]!.id);
  }
  expect(paged).toEqual(listed);
  const store = client().getStoreClient(ids[0]!);
  expect(await store.setLabel("of the shop")).toEqual({ id: ids[0], label: "of the shop", state: "active" });
  expect(await store.getStatus()).toMatchObject({ label: "of the shop" });
  expect((await store.setLabel(undefined)).label).toBeUndefined();
  await expect(store.setLabel("")).rejects.toMatchObject({ code: "invalid_argument", effect: "none" });
  expect(await client().getStoreClient(randomUUID()).getStatus()).toMatchObject({ state: "unused" });
});

test("a space tells how much it has, and for how long", async () => {
  const { logs } = await given();
  const status = await logs.getStatus();
  expect(status).toMatchObject({ space: "logs/web", entries: 5, bytes: 5 });
  expect(status.lastTimestamp).toBeGreaterThan(status.firstTimestamp);
  await logs.retention.put({ maxEntries: 10 });
  expect((await logs.getStatus()).retention).toEqual({ maxEntries: 10, of: "space" });
});

test("a policy of retention is tried, put, told of a space and of its store, and ended", async () => {
  const { store, logs } = await given();
  expect(await logs.retention.get()).toBeUndefined();
  expect(await logs.retention.dryRun({ maxEntries: 2 })).toEqual({ entries: 1, segments: 1, complete: true });
  expect(await store.retention.dryRun({ maxEntries: 1 })).toEqual({ entries: 3, segments: 2, complete: true });
  expect(await logs.retention.get()).toBeUndefined();
  expect(await store.retention.put({ maxAgeSeconds: 86_400 })).toEqual({ maxAgeSeconds: 86_400, of: "store" });
  expect(await logs.retention.get()).toEqual({ maxAgeSeconds: 86_400, of: "store" });
  await logs.retention.put({ maxEntries: 2, maxAgeSeconds: 7_200 });
  expect(await logs.retention.get()).toEqual({ maxEntries: 2, maxAgeSeconds: 7_200, of: "space" });
  await logs.retention.delete();
  await logs.retention.delete();
  expect(await logs.retention.get()).toMatchObject({ of: "store" });
  await expect(logs.retention.put({ maxAgeSeconds: 1 })).rejects.toMatchObject({ code: "invalid_argument" });
});

test("a deleted space is gone until it is restored, and its job is told of", { timeout: 60_000 }, async () => {
  const { store, logs } = await given();
  await expect(logs.delete({ confirm: "logs" })).rejects.toMatchObject({ code: "invalid_argument", effect: "none" });
  const before = Date.now();
  const { job, removedFrom } = (await logs.delete({ confirm: "logs/web", graceInSeconds: 3_600 }))!;
  expect(removedFrom).toBeGreaterThan(before + 3_500_000);
  await expect(logs.getStatus()).rejects.toMatchObject({
    code: "deleted",
    details: { restorableUntil: new Date(removedFrom).toISOString() },
  });
  expect(await store.jobs.get(job.id)).toMatchObject({ kind: "deleteSpace", space: "logs/web" });
  const jobs: Job[] = [];
  for await (const one of store.jobs.list()) jobs.push(one);
  expect(jobs.map(({ id }) => id)).toContain(job.id);
  const waiting = store.jobs.wait(job.id, { abortSignal: AbortSignal.timeout(50), pollingIntervalInMs: 10 });
  await expect(waiting).rejects.toMatchObject({ name: "TimeoutError" });
  await logs.restore();
  expect(await logs.getStatus()).toMatchObject({ entries: 5 });
  expect(await store.getSpaceClient("never").delete({ confirm: "never" })).toBeUndefined();
  expect(await store.jobs.get(randomUUID())).toBeUndefined();
});

test("a deleted store tells until when it can be restored", { timeout: 60_000 }, async () => {
  const { store, logs } = await given();
  const { removedFrom } = (await store.delete({ confirm: store.storeId }))!;
  await expect(logs.getStatus()).rejects.toMatchObject({ code: "deleted" });
  expect(await store.getStatus()).toEqual({ id: store.storeId, state: "deleted", removedFrom });
  await store.restore();
  expect(await store.getStatus()).toEqual({ id: store.storeId, state: "active" });
  expect(await logs.getStatus()).toMatchObject({ entries: 5 });
});

interface Answered {
  readonly status: number;
  readonly body: unknown;
}

/** A service that gives these answers in turn; and what it was asked. */
function service(...answers: readonly Answered[]): { readonly asked: string[]; readonly client: StreamkitClient } {
  const asked: string[] = [];
  const answer = (url: string | URL | Request, { method = "GET" }: RequestInit = {}): Promise<Response> => {
    const { body, status } = answers[asked.length]!;
    asked.push(`${method} ${new URL(url).pathname}`);
    return Promise.resolve(Response.json(body, { status }));
  };
  return { asked, client: new StreamkitClient("http://streamkit.test", undefined, { fetch: answer }) };
}

const jobAnswer = (state: string, status = 200, more: object = {}): Answered => ({
  status,
  body: { id: "j1", kind: "trimSegment", state, ...more },
});

test("a trim that becomes a job is waited for, and answers what there is then", async () => {
  const status = { segment: "web", firstSequence: 9, lastSequence: 12 };
  const { asked, client: own } = service(
    ...[jobAnswer("waiting", 202), jobAnswer("done"), { status: 200, body: status }],
    ...[jobAnswer("waiting", 202), jobAnswer("done"), { status: 200, body: { earliest: "e", state: "done" } }],
  );
  const space = own.getStoreClient("s1").getSpaceClient("logs");
  expect(await space.getSegmentClient("web").trim(9)).toEqual(status);
  expect(await space.trim({ beforeTimestamp: 1 })).toEqual({ earliest: "e", state: "done" });
  expect(asked).toEqual([
    "POST /v1/stores/s1/spaces/logs/segments/web/trim",
    "GET /v1/stores/s1/jobs/j1",
    "POST /v1/stores/s1/spaces/logs/segments/web/trim",
    "POST /v1/stores/s1/spaces/logs/trim",
    "GET /v1/stores/s1/jobs/j1",
    "POST /v1/stores/s1/spaces/logs/trim",
  ]);
});

test("what a job failed of is what waiting for it rejects with", async () => {
  const lastError = { code: "corrupt_data", message: "The block contradicts itself.", at: 1 };
  const { client: own } = service(jobAnswer("running"), jobAnswer("failed", 200, { lastError }));
  const waiting = own.getStoreClient("s1").jobs.wait("j1", { pollingIntervalInMs: 1 });
  await expect(waiting).rejects.toMatchObject({
    ...{ code: "corrupt_data", message: "The block contradicts itself." },
    details: { job: { id: "j1", state: "failed" } },
  });
});

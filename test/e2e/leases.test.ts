// Leases over HTTP, with two instances of the app over one storage.

import { randomUUID } from "node:crypto";

import { afterAll, beforeAll, expect, test } from "vitest";

import { startApp, until } from "./harness.ts";
import type { RunningApp } from "./harness.ts";

let apps: readonly [RunningApp, RunningApp];
beforeAll(async () => {
  apps = await Promise.all([startApp(), startApp()]);
});
afterAll(() => Promise.all(apps.map((app) => app.stop())));

interface Lease {
  readonly holder: string;
  readonly expiresAt: number;
  readonly token: number;
}

const leaseUrl = (app: RunningApp, store: string, key: string): string =>
  `${app.url}/v1/stores/${store}/leases/${encodeURIComponent(key)}`;

function acquire(app: RunningApp, store: string, key: string, holder: string, ttlSeconds = 30): Promise<Response> {
  return fetch(leaseUrl(app, store, key), {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ holder, ttlSeconds }),
  });
}

function release(app: RunningApp, store: string, key: string, holder: string): Promise<Response> {
  return fetch(`${leaseUrl(app, store, key)}?holder=${encodeURIComponent(holder)}`, { method: "DELETE" });
}

function produce(app: RunningApp, store: string, payload: string, query: string, type = "json"): Promise<Response> {
  const record = JSON.stringify({ payload });
  const path = `/v1/stores/${store}/spaces/orders/segments/order-1/records?encoding=text&${query}`;
  return fetch(app.url + path, {
    method: "POST",
    headers: { "content-type": type === "json" ? "application/json" : "application/x-ndjson" },
    body: type === "json" ? `{"records":[${record}]}` : `${record}\n`,
  });
}

test("a lease is acquired, renewed, refused to others with who holds it, and released", async () => {
  const store = randomUUID();
  const key = "reports/daily 😀";
  const first = await acquire(apps[0], store, key, "worker-1");
  expect(first.status).toBe(200);
  const lease = (await first.json()) as Lease;
  expect(lease).toEqual({ holder: "worker-1", expiresAt: expect.any(Number) as number, token: 1 });
  expect(lease.expiresAt - Date.now()).toBeGreaterThan(25_000);

  const renewed = (await (await acquire(apps[1], store, key, "worker-1", 60)).json()) as Lease;
  expect(renewed.token).toBe(1);
  expect(renewed.expiresAt).toBeGreaterThan(lease.expiresAt);

  const refused = await acquire(apps[1], store, key, "worker-2");
  expect(refused.status).toBe(409);
  const problem = (await refused.json()) as { remainingMs: number };
  expect(problem).toMatchObject({ code: "lease_held", holder: "worker-1" });
  expect(problem.remainingMs).toBeGreaterThan(50_000);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(50);
  expect((await release(apps[1], store, key, "worker-2")).status).toBe(409);

  const released = await release(apps[1], store, key, "worker-1");
  expect([released.status, await released.text()]).toEqual([204, ""]);
  expect((await release(apps[0], store, key, "worker-1")).status).toBe(204);
  expect(await (await acquire(apps[0], store, key, "worker-2")).json()).toMatchObject({ token: 2 });
});

test("one of many callers that ask two instances at once is granted the lease", async () => {
  const store = randomUUID();
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, index) => acquire(apps[index % 2 === 0 ? 0 : 1], store, "one", `worker-${index}`)),
  );
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array.from({ length: 11 }, () => 409)]);
});

test("a lease that is not renewed passes on when its time is over, with a greater token", async () => {
  const store = randomUUID();
  await acquire(apps[0], store, "short", "worker-1", 1);
  expect((await acquire(apps[1], store, "short", "worker-2", 1)).status).toBe(409);
  let granted: Lease | undefined;
  await until("it has passed on", async () => {
    const answer = await acquire(apps[1], store, "short", "worker-2", 30);
    if (answer.ok) granted = (await answer.json()) as Lease;
    return answer.ok;
  });
  expect(granted).toMatchObject({ holder: "worker-2", token: 2 });
});

test("records of an old holder are refused once the new one has written, on either instance", async () => {
  const store = randomUUID();
  await acquire(apps[0], store, "writer", "worker-1");
  expect((await produce(apps[0], store, "a", "leaseKey=writer&leaseToken=1")).status).toBe(200);
  await release(apps[0], store, "writer", "worker-1");
  await acquire(apps[1], store, "writer", "worker-2");
  expect((await produce(apps[1], store, "b", "leaseKey=writer&leaseToken=2", "lines")).status).toBe(200);
  for (const [app, type] of [[apps[0], "json"] as const, [apps[1], "lines"] as const]) {
    const refused = await produce(app, store, "late", "leaseKey=writer&leaseToken=1", type);
    expect(refused.status).toBe(409);
    expect(await refused.json()).toMatchObject({
      code: "lease_held",
      key: "writer",
      token: 2,
      received: 1,
      retryable: false,
    });
  }
  const all = await fetch(`${apps[0].url}/v1/stores/${store}/spaces/orders/entries?encoding=text`);
  const { entries } = (await all.json()) as { entries: { payload: string }[] };
  expect(entries.map(({ payload }) => payload)).toEqual(["a", "b"]);
});

test("a token that was never granted is refused with what was, and fences nobody out", async () => {
  const store = randomUUID();
  await acquire(apps[0], store, "writer", "worker-1");
  const invented = await produce(apps[1], store, "x", `leaseKey=writer&leaseToken=${Number.MAX_SAFE_INTEGER}`);
  expect(await invented.json()).toMatchObject({ status: 400, field: "leaseToken", token: 1 });
  expect((await produce(apps[1], store, "a", "leaseKey=writer&leaseToken=1")).status).toBe(200);
});

test("a key without a token, a holder without a name, a time that is no time: each is told what was expected", async () => {
  const store = randomUUID();
  expect(await (await produce(apps[0], store, "a", "leaseKey=writer")).json()).toMatchObject({ field: "leaseToken" });
  expect(await (await produce(apps[0], store, "a", "leaseToken=1")).json()).toMatchObject({ field: "leaseKey" });
  expect(await (await acquire(apps[0], store, "k", "")).json()).toMatchObject({ field: "holder" });
  expect(await (await acquire(apps[0], store, "k", "a", 0)).json()).toMatchObject({ field: "ttlSeconds" });
  expect(await (await acquire(apps[0], store, "k", "a", 86_401)).json()).toMatchObject({ field: "ttlSeconds" });
  const nobody = await fetch(leaseUrl(apps[0], store, "k"), { method: "DELETE" });
  expect(await nobody.json()).toMatchObject({ status: 400, field: "holder" });
});

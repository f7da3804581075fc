// Retention over HTTP: who may say how long entries are kept, what is refused, and what is told.

import { randomUUID } from "node:crypto";

import { afterEach, expect, test } from "vitest";

import { openAccess } from "../../../src/server/access.ts";
import { clock, json, openService, segmentPath } from "./in-process.ts";
import type { Service } from "./in-process.ts";

const open: Service[] = [];
afterEach(async () => {
  for (const service of open.splice(0)) await service.dispose();
});

/** A store with entries 1 to 3 in segment `1` of space `1`, and the time that the storage has, which a test sets on. */
async function start(changes: Parameters<typeof openService>[0] = {}) {
  let aheadMs = 0;
  const service = await openService({ serviceClock: { now: () => clock.now() + aheadMs }, ...changes });
  open.push(service);
  const store = `/v1/stores/${randomUUID()}`;
  const segment = segmentPath(store.slice(11), "1", "1");
  for (const payload of ["a", "b", "c"]) {
    await service.call("POST", `${segment}/records?encoding=text`, json({ records: [{ payload }] }));
  }
  const left = async () => (await service.call("GET", `${segment}/entries`)).json.entries.length;
  return { service, store, space: `${store}/spaces/1`, left, pass: (ms: number) => void (aheadMs += ms) };
}

test("a policy is told as it was given, and whose it is", async () => {
  const { service, space, store } = await start();
  const get = async (at: string) => (await service.call("GET", `${at}/retention`)).json;
  expect(await get(space)).toMatchObject({ status: 404, code: "not_found" });
  const puts: [string, object, object][] = [
    [store, { maxEntries: 2 }, { maxEntries: 2, of: "store" }],
    [space, { maxAgeSeconds: 3_600, maxEntries: 1 }, { maxAgeSeconds: 3_600, maxEntries: 1, of: "space" }],
  ];
  for (const [at, body, told] of puts) {
    expect((await service.call("PUT", `${at}/retention`, json(body))).json).toEqual(told);
    expect(await get(at)).toEqual(told);
  }
  expect((await service.call("DELETE", `${space}/retention`)).status).toBe(204);
  expect(await get(space)).toEqual({ maxEntries: 2, of: "store" });
  expect((await service.call("DELETE", `${space}/retention`)).status).toBe(404);
  expect((await service.call("DELETE", `${store}/retention`)).status).toBe(204);
  expect(await get(space)).toMatchObject({ status: 404 });
});

test("the monitor keeps a policy up by age and by number", async () => {
  const { left, pass, service, space } = await start();
  await service.call("PUT", `${space}/retention`, json({ maxEntries: 2, maxAgeSeconds: 3_600 }));
  expect(await service.runSchedule()).toMatchObject({ failed: 0 });
  expect(await left()).toBe(2);
  pass(3_601_000);
  await service.runSchedule();
  expect(await left()).toBe(0);
});

test("a dry run says what would go, of a space and of a store, and sets nothing", async () => {
  const { left, service, space, store } = await start();
  for (const at of [space, store]) {
    const { json: told } = await service.call("PUT", `${at}/retention?dryRun=true`, json({ maxEntries: 1 }));
    expect(told).toMatchObject({ maxEntries: 1, wouldRemove: { entries: 2, segments: 1, complete: true } });
    expect((await service.call("GET", `${at}/retention`)).status).toBe(404);
  }
  expect(await service.runSchedule()).toMatchObject({ done: 0, again: 0 });
  expect(await left()).toBe(3);
});

test.each([{}, { maxAgeSeconds: 3_599 }, { maxAgeSeconds: "1h" }, { maxEntries: 0 }, { maxEntries: 1.5 }, { keep: 1 }])(
  "a policy %j is refused",
  async (body) => {
    const { service, space, store } = await start();
    for (const at of [space, store]) {
      const answer = await service.call("PUT", `${at}/retention`, json(body));
      expect(answer.json).toMatchObject({ status: 400, code: "invalid_argument" });
    }
  },
);

test("without the permission to manage nobody sets or ends a policy, and everyone may look", async () => {
  const { service, space, store } = await start({ access: openAccess(false) });
  for (const at of [space, store]) {
    const put = await service.call("PUT", `${at}/retention`, json({ maxEntries: 1 }));
    expect(put.json).toMatchObject({ status: 403, code: "permission_denied" });
    expect((await service.call("DELETE", `${at}/retention`)).status).toBe(403);
    expect((await service.call("GET", `${at}/retention`)).status).toBe(404);
  }
});

// How the monitor's last run is told over HTTP, and to whom.

import { randomUUID } from "node:crypto";

import { afterEach, expect, test } from "vitest";

import { identityOf } from "../../../src/server/access.ts";
import type { MonitorRun } from "../../../src/store/monitor-run.ts";
import { openService } from "./in-process.ts";
import type { Service } from "./in-process.ts";

const open: Service[] = [];
afterEach(async () => {
  for (const service of open.splice(0)) await service.dispose();
});

async function start(...changes: Parameters<typeof openService>): Promise<Service> {
  const service = await openService(...changes);
  open.push(service);
  return service;
}

const run: MonitorRun = {
  ...{ startedAt: 1_767_225_600_000, ms: 120, complete: true },
  ...{ logs: 7, closed: 2, applied: 3, notified: 4, failed: 1, oldestMs: 65_000 },
  due: { done: 2, again: 1, failed: 1, lateMs: 61_000, complete: false },
};

test("before the first run there is none to tell of", async () => {
  const service = await start();
  expect(await service.call("GET", "/v1/monitor")).toMatchObject({ status: 200, json: {} });
  expect((await service.call("GET", "/v1/monitor")).text).toBe("{}");
});

test("what the last run found is told", async () => {
  const service = await start({ lastMonitorRun: () => Promise.resolve(run) });
  const { oldestMs, ...same } = run;
  const { json } = await service.call("GET", "/v1/monitor");
  expect(json).toEqual({ lastRun: { ...same, oldestPendingMs: oldestMs } });
});

test.each([
  ["streamkit::*", 200],
  ["streamkit::*::read", 200],
  ["streamkit::*::write", 403],
  ["streamkit::*::manage", 403],
  [`streamkit::${randomUUID()}`, 403],
  ["", 403],
])("with the scope %j it answers %i: it is of all stores", async (scope, status) => {
  const identity = identityOf("c", [scope]);
  const service = await start({ access: { authenticate: () => Promise.resolve(identity) } });
  const answer = await service.call("GET", "/v1/monitor");
  expect(answer.status).toBe(status);
  if (status === 403) expect(answer.text).toContain("in all stores");
});

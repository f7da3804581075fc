// Trims over HTTP: who may, how a point is told, and what readers are told afterwards.

import { randomUUID } from "node:crypto";

import { afterEach, expect, test } from "vitest";

import { openAccess } from "../../../src/server/access.ts";
import type { StoreId } from "../../../src/core/ids.ts";
import { unseenConnection } from "../../../src/server/http.ts";
import { trimSegment, trimSpace } from "../../../src/server/manage.ts";
import type { StoreFactory } from "../../../src/store/store.ts";
import { json, openService, segmentPath } from "./in-process.ts";
import type { Service } from "./in-process.ts";

const open: Service[] = [];
afterEach(async () => {
  for (const service of open.splice(0)) await service.dispose();
});

/** A store with entries 1 to 3 in segment `1` of space `1`: names of digits make offsets of digits. */
async function start(...changes: Parameters<typeof openService>): Promise<{ service: Service; store: string }> {
  const service = await openService(...changes);
  open.push(service);
  const store = randomUUID();
  for (const payload of ["a", "b", "c"]) {
    await service.call(
      "POST",
      segmentPath(store, "1", "1", "/records?encoding=text"),
      json({ records: [{ payload }] }),
    );
  }
  return { service, store };
}

const entries = async (service: Service, path: string) => (await service.call("GET", path, {})).json.entries;

test("without the setting nobody removes anything, and is told what to set", async () => {
  const { service, store } = await start({ access: openAccess(false) });
  for (const path of [segmentPath(store, "1", "1", "/trim"), `/v1/stores/${store}/spaces/1/trim`]) {
    const answer = await service.call("POST", path, json({ before: 2 }));
    expect(answer.json).toMatchObject({ status: 403, code: "permission_denied", permission: "manage" });
    expect(answer.text).toContain("STREAMKIT_MANAGE");
  }
  expect(await entries(service, segmentPath(store, "1", "1", "/entries"))).toHaveLength(3);
});

test("a space is trimmed up to an offset, whatever characters it is of, and before a timestamp, in digits or as a number", async () => {
  for (const form of ["offset", "digits", "number"] as const) {
    const { service, store } = await start();
    const path = `/v1/stores/${store}/spaces/1`;
    const [, second, third] = (await entries(service, `${path}/entries`)) as unknown as readonly {
      readonly offset: string;
      readonly timestamp: number;
    }[];
    const before = { offset: second!.offset, digits: String(third!.timestamp), number: third!.timestamp }[form];
    const { json: trimmed } = await service.call("POST", `${path}/trim`, json({ before }));
    expect(trimmed, form).toMatchObject({ state: "done" });
    expect(await entries(service, `${path}/entries`)).toMatchObject([{ sequence: 3 }]);
    expect(await entries(service, segmentPath(store, "1", "1", "/entries"))).toMatchObject([{ sequence: 3 }]);
  }
});

test("a reader whose place was trimmed is told in every form, and with clamp goes on from the earliest", async () => {
  const { service, store } = await start();
  const path = segmentPath(store, "1", "1");
  await service.call("POST", `${path}/trim`, json({ before: 3 }));
  const page = await service.call("GET", `${path}/entries?from=2`, {});
  expect(page.json).toMatchObject({ status: 410, code: "trimmed", earliest: 3 });
  const lines = await service.call("GET", `${path}/entries?from=2`, { headers: { accept: "application/x-ndjson" } });
  expect(lines.status).toBe(410);
  const events = await service.call("GET", `${path}/entries?from=2`, { headers: { accept: "text/event-stream" } });
  expect(events.text).toContain("event: trimmed\n");
  expect(events.text).toContain('"earliest":3');
  expect(await entries(service, `${path}/entries?from=2&clamp=true`)).toMatchObject([{ sequence: 3 }]);
});

test("a trim that takes longer than a call may is a job, which ends it and is told of at its address", async () => {
  const { service, store } = await start();
  const path = segmentPath(store, "1", "1");
  const real = service.services.stores;
  // The backend that has more than one call removes: it begins with one entry.
  const slow: StoreFactory = {
    ...real,
    open: (id) => {
      const opened = real.open(id);
      return {
        ...opened,
        trimSegment: (...[space, segment, before, options]) =>
          opened.trimSegment(space, segment, Math.min(before, 2), options),
        trimSpace: async (space, before, options) => ({
          ...(await opened.trimSpace(space, before, options)),
          state: "more",
        }),
      };
    },
  };
  const calls = { ...service.services, stores: slow };
  for (const [endpoint, at] of [
    [trimSegment, path],
    [trimSpace, `/v1/stores/${store}/spaces/1`],
  ] as const) {
    const request = new Request(`http://streamkit.test${at}/trim`, { method: "POST", ...json({ before: 3 }) });
    const { status, headers } = await endpoint(calls, request, unseenConnection());
    expect(status).toBe(202);
    const address = headers["location"]!;
    expect((await service.call("GET", address)).json).toMatchObject({
      state: "waiting",
      space: "1",
      asked: {},
      turns: 0,
    });
    await service.runSchedule();
    expect((await service.call("GET", address)).json).toMatchObject({ state: "done", turns: 1 });
  }
  const { jobs } = (await service.call("GET", `/v1/stores/${store}/jobs`)).json as unknown as { jobs: unknown[] };
  expect(jobs).toMatchObject([{ kind: "trimSegment" }, { kind: "trimSpace" }]);
  expect(await entries(service, `${path}/entries`)).toMatchObject([{ sequence: 3 }]);
});

test("the list of jobs goes on behind next, and a job of another store is not there", async () => {
  const { service, store } = await start();
  for (let index = 0; index < 3; index += 1) {
    await service.services.jobs.start(store as StoreId, { kind: "trimSpace", asked: {}, caller: "anyone" });
  }
  const path = `/v1/stores/${store}/jobs`;
  type Listed = { readonly jobs: readonly { readonly id: string }[]; readonly next?: string };
  const first = (await service.call("GET", `${path}?limit=2`)).json as unknown as Listed;
  expect(first.jobs).toHaveLength(2);
  const rest = (await service.call("GET", `${path}?limit=2&next=${first.next!}`)).json as unknown as Listed;
  expect([rest.jobs.length, rest.next]).toEqual([1, undefined]);
  const elsewhere = await service.call("GET", `/v1/stores/${randomUUID()}/jobs/${first.jobs[0]!.id}`);
  expect(elsewhere.json).toMatchObject({ status: 404, code: "not_found" });
});

test.each([
  ["segment", { before: 0 }],
  ["segment", { before: "x" }],
  ["segment", {}],
  ["space", { before: "" }],
  ["space", { before: -1 }],
  ["space", { before: true }],
  ["space", { before: "99999999999999999999" }],
])("a point that is none is refused: of a %s %j", async (what, body) => {
  const { service, store } = await start();
  const path = what === "space" ? `/v1/stores/${store}/spaces/1/trim` : segmentPath(store, "1", "1", "/trim");
  const answer = await service.call("POST", path, json(body));
  expect(answer.json).toMatchObject({ status: 400, code: "invalid_argument" });
  expect(await entries(service, segmentPath(store, "1", "1", "/entries"))).toHaveLength(3);
});

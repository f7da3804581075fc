// The stores of a deployment and their labels over HTTP: what is taken, what is told, and to whom.

import { randomUUID } from "node:crypto";

import { afterEach, expect, test } from "vitest";

import { identityOf, openAccess } from "../../../src/server/access.ts";
import { json, openService, segmentPath } from "./in-process.ts";
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

async function written(service: Service, store: string): Promise<void> {
  const path = segmentPath(store, "orders", "order-1", "/records?encoding=text");
  expect((await service.call("POST", path, json({ records: [{ payload: "p" }] }))).status).toBe(200);
}

test("stores are listed page by page, with their labels", async () => {
  const service = await start();
  const ids = [randomUUID(), randomUUID(), randomUUID()].sort();
  for (const id of ids) await written(service, id);
  const label = "Geschäft 🎈";
  expect((await service.call("PUT", `/v1/stores/${ids[2]!}`, json({ label }))).json).toEqual({
    ...{ id: ids[2], label, state: "active" },
  });
  const page = await service.call("GET", "/v1/stores?limit=2");
  const listed = ids.map((id) => ({ id, state: "active" }));
  expect(page.json).toEqual({ stores: listed.slice(0, 2), next: ids[1] });
  const rest = await service.call("GET", `/v1/stores?limit=2&next=${ids[1]!}`);
  expect(rest.json).toEqual({ stores: [{ ...listed[2], label }] });
});

test("a deleted store tells until when it can be restored; its label waits for that", async () => {
  const service = await start();
  const path = `/v1/stores/${randomUUID()}`;
  const id = path.split("/").at(-1)!;
  expect((await service.call("GET", path)).json).toEqual({ id, state: "unused" });
  await written(service, id);
  await service.call("PUT", path, json({ label: "one" }));
  const deleted = await service.call("DELETE", `${path}?confirm=${id}`);
  const { removedFrom } = deleted.json as unknown as { readonly removedFrom: number };
  const told = { id, label: "one", state: "deleted", removedFrom };
  expect((await service.call("GET", path)).json).toEqual(told);
  expect((await service.call("GET", "/v1/stores")).json).toEqual({ stores: [told] });
  expect(await service.call("PUT", path, json({ label: "two" }))).toMatchObject({
    status: 410,
    json: { code: "deleted" },
  });
  await service.call("POST", `${path}/restore`);
  expect((await service.call("GET", path)).json).toEqual({ id, label: "one", state: "active" });
});

test.each([[""], ["x".repeat(201)], ["a\u0000b"], ["a\nb"], ["\ud800"], [7]])(
  "%j is no label, and changes nothing",
  async (label) => {
    const service = await start();
    const path = `/v1/stores/${randomUUID()}`;
    await service.call("PUT", path, json({ label: "kept" }));
    const answer = await service.call("PUT", path, json({ label }));
    expect(answer).toMatchObject({ status: 400, json: { code: "invalid_argument" } });
    expect(answer.text).toContain("1 to 200 characters");
    expect((await service.call("GET", path)).json).toMatchObject({ label: "kept" });
    expect((await service.call("PUT", path, json({}))).json).toEqual({ id: path.split("/").at(-1), state: "unused" });
  },
);

test.each([
  ["streamkit::*", 200],
  ["streamkit::*::read", 200],
  ["streamkit::*::write", 403],
  ["streamkit::*::manage", 403],
  [`streamkit::${randomUUID()}`, 403],
])("with the scope %j the list answers %i", async (scope, status) => {
  const identity = identityOf("c", [scope]);
  const service = await start({ access: { authenticate: () => Promise.resolve(identity) } });
  expect((await service.call("GET", "/v1/stores")).status).toBe(status);
});

test("a label takes the permission to manage, of a token or by the setting", async () => {
  const store = randomUUID();
  const identity = (scope: string) => ({ authenticate: () => Promise.resolve(identityOf("c", [scope])) });
  const put = async (access: Parameters<typeof openService>[0]): Promise<number> => {
    const service = await start(access);
    return (await service.call("PUT", `/v1/stores/${store}`, json({ label: "l" }))).status;
  };
  expect(await put({ access: identity(`streamkit::${store}`) })).toBe(403);
  expect(await put({ access: identity(`streamkit::${store}::manage`) })).toBe(200);
  expect(await put({ access: openAccess(false) })).toBe(403);
  expect(await put({ access: openAccess(true) })).toBe(200);
});

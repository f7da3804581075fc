// Access to the compiled app: by keys, which the host checks, and by tokens, which the app checks.

import { randomUUID } from "node:crypto";

import { afterEach, describe, expect, test } from "vitest";

import { operations } from "../../src/wire/operations.ts";
import { formatPath } from "../../src/wire/operation.ts";
import { startApp } from "./harness.ts";
import { startIssuer } from "./issuer.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const guarded = operations.filter(({ access }) => access !== "public");
const names = {
  ...{ store: randomUUID(), space: "s", segment: "g", key: "k", id: "i" },
  ...{ job: randomUUID(), consumer: "c", path: "p" },
};

async function call(url: string, method: string, path: string, headers: Record<string, string>): Promise<Response> {
  const body = method === "GET" ? {} : { body: '{"records":[]}' };
  return fetch(`${url}${path}`, { method, headers: { "content-type": "application/json", ...headers }, ...body });
}

describe("with keys", () => {
  const keys = { master: "master-key", host: { default: "host-key" }, functions: { produce: { one: "produce-key" } } };
  const env = { STREAMKIT_AUTH: "key", STREAMKIT_LOCAL_KEYS: JSON.stringify(keys) };

  test("every call but the public ones needs one; a function's own key opens that function", async () => {
    const app = await startApp({ env });
    closing.push(() => app.stop());
    for (const operation of guarded) {
      const path = formatPath(operation.path, names);
      for (const headers of [{}, { "x-functions-key": "wrong" }]) {
        expect((await call(app.url, operation.method, path, headers)).status, operation.id).toBe(401);
      }
      const opened = await call(app.url, operation.method, path, { "x-functions-key": "host-key" });
      expect(opened.status, operation.id).not.toBe(401);
      const own = await call(app.url, operation.method, path, { "x-functions-key": "produce-key" });
      expect(own.status === 401, operation.id).toBe(operation.id !== "produce");
    }
    for (const path of ["/health", "/openapi.json", "/docs"]) {
      expect((await call(app.url, "GET", path, {})).status, path).toBe(200);
    }
    const byQuery = await call(app.url, "GET", `/v1/stores/${names.store}/spaces?code=host-key`, {});
    expect(byQuery.status).toBe(200);
  });
});

describe("with tokens", () => {
  test("every call but the public ones needs one, with the store among its scopes", async () => {
    const issuer = await startIssuer();
    closing.push(() => issuer.close());
    const app = await startApp({ env: issuer.settings });
    closing.unshift(() => app.stop());
    const token = async (scope: string) => ({ authorization: `Bearer ${await issuer.token(scope)}` });
    const mine = await token(`streamkit::${names.store}`);
    const managing = await token(`streamkit::${names.store} streamkit::${names.store}::manage`);
    const others = await token(`streamkit::${randomUUID()}`);
    const all = await token("streamkit::*::read");
    for (const operation of guarded) {
      const path = formatPath(operation.path, names);
      const none = await call(app.url, operation.method, path, {});
      expect(await none.json(), operation.id).toMatchObject({ status: 401, code: "unauthenticated" });
      const denied = await call(app.url, operation.method, path, others);
      expect(await denied.json(), operation.id).toMatchObject({ status: 403, code: "permission_denied" });
      // Tokens may remove data only if they name that scope.
      const isManaging = operation.access === "manage";
      if (isManaging) expect((await call(app.url, operation.method, path, mine)).status, operation.id).toBe(403);
      // Calls that are of no single store need the permission to read all.
      const ofAll = !operation.path.includes("{store}");
      if (ofAll) expect((await call(app.url, operation.method, path, mine)).status, operation.id).toBe(403);
      const allowed = await call(app.url, operation.method, path, ofAll ? all : isManaging ? managing : mine);
      expect([401, 403], operation.id).not.toContain(allowed.status);
      await allowed.body?.cancel();
    }
    expect((await call(app.url, "GET", "/health", {})).status).toBe(200);
    expect(app.logs()).not.toContain("eyJ");
  });
});

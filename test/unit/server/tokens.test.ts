// Access by bearer tokens: who is let in, who is not, and what they are told. Keys come over HTTP, as an issuer
// publishes them.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

import { exportJWK, generateKeyPair, SignJWT } from "jose";
import type { JWK, JWTPayload } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { Clock } from "../../../src/core/clock.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { identityOf } from "../../../src/server/access.ts";
import type { Permission } from "../../../src/server/access.ts";
import { lookUpMs } from "../../../src/server/issuer-keys.ts";
import { tokenAccess } from "../../../src/server/tokens.ts";
import { parseStoreId } from "../../../src/core/ids.ts";
import { operations } from "../../../src/wire/operations.ts";
import { formatPath } from "../../../src/wire/operation.ts";
import { clock, json, openService, segmentPath } from "./in-process.ts";
import type { Service } from "./in-process.ts";

const issuer = "https://issuer.example/";
const audience = "api://streamkit";
const store = parseStoreId(randomUUID());
const otherStore = parseStoreId(randomUUID());

type KeyPair = Awaited<ReturnType<typeof generateKeyPair>>;

let server: Server;
let published: JWK[] = [];
let fetches = 0;
let first: KeyPair;
let second: KeyPair;
let service: Service;

beforeAll(async () => {
  first = await generateKeyPair("ES256");
  second = await generateKeyPair("ES256");
  published = [{ ...(await exportJWK(first.publicKey)), kid: "first", alg: "ES256" }];
  server = createServer((_request, response) => {
    fetches += 1;
    response.end(JSON.stringify({ keys: published }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  service = await openService({ access: access(jwksUrl()) });
});
afterAll(async () => {
  server.close();
  await service.dispose();
});

const jwksUrl = () => new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`);
/** What a test adds to the time that has passed. */
let laterMs = 0;
const laterClock: Clock = { ...clock, elapsed: () => clock.elapsed() + laterMs };
/** How far the storage's time is from this machine's. */
let serviceAheadMs = 0;
const serviceClock = { now: () => clock.now() + serviceAheadMs };
const access = (url: URL) =>
  tokenAccess({
    issuer,
    audience,
    jwksUrl: url,
    clockSkewSeconds: 60,
    clock: laterClock,
    serviceClock,
    logger: silentLogger,
  });

interface TokenChanges {
  readonly payload?: JWTPayload;
  readonly key?: KeyPair["privateKey"];
  readonly kid?: string;
  readonly issuer?: string;
  readonly audience?: string;
  /** Seconds from now. */
  readonly expires?: number;
  readonly notBefore?: number;
}

function token(scope: string, changes: TokenChanges = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1_000);
  return new SignJWT({ scope, ...changes.payload })
    .setProtectedHeader({ alg: "ES256", kid: changes.kid ?? "first" })
    .setIssuer(changes.issuer ?? issuer)
    .setAudience(changes.audience ?? audience)
    .setNotBefore(now + (changes.notBefore ?? 0))
    .setExpirationTime(now + (changes.expires ?? 300))
    .sign(changes.key ?? first.privateKey);
}

const bearer = (text: string) => ({ authorization: `Bearer ${text}` });
const status = async (text: string) => service.call("GET", segmentPath(store, "s", "g"), { headers: bearer(text) });

const guarded = operations.flatMap((operation) =>
  operation.access === "public" ? [] : [{ ...operation, permission: operation.access }],
);

/** What is of no single store is for those who may do it in all. */
const isOfAll = (path: string): boolean => !path.startsWith("/v1/stores/");

/** Every call that is not for everyone, in a store or over all, as its description gives an example of it. */
const calls = (id: string): readonly [permission: Permission, method: string, path: string, init: RequestInit][] =>
  guarded.map(({ permission, method, path, query, body }) => {
    const names = { store: id, space: "s", segment: "g", key: "k", id: "i", job: randomUUID(), consumer: "c" };
    const needed = [
      ...("encoding" in query.shape ? ["encoding=json"] : []),
      ...(method === "DELETE" && "holder" in query.shape ? ["holder=worker-7"] : []),
    ];
    const example = body?.["application/json"]?.schema.meta()?.examples as readonly unknown[] | undefined;
    return [
      permission,
      method,
      `${formatPath(path, names)}?${needed.join("&")}`,
      example === undefined ? {} : json(example[0]),
    ];
  });

function withToken(init: RequestInit, text: string): RequestInit {
  return { ...init, headers: { ...(init.headers as Record<string, string>), ...bearer(text) } };
}

test("a token is judged by the storage's time, whatever this machine's clock says", async () => {
  const text = await token(`streamkit::${store}`);
  const early = await token(`streamkit::${store}`, { notBefore: 1_800, expires: 5_400 });
  try {
    for (const [aheadMs, good, bad] of [
      [0, text, early],
      [3_600_000, early, text],
    ] as const) {
      serviceAheadMs = aheadMs;
      expect((await status(good)).status).toBe(200);
      expect((await status(bad)).status).toBe(401);
    }
  } finally {
    serviceAheadMs = 0;
  }
});

describe("call by call", () => {
  test("there are calls to read and calls to write, and none is left out", () => {
    expect(guarded.length).toBeGreaterThanOrEqual(16);
    expect(new Set(guarded.map(({ permission }) => permission))).toEqual(new Set(["read", "write", "manage"]));
    // A body that is given by no example would be refused before, and for something else than, the token.
    for (const { body } of guarded) expect(body?.["application/json"]?.schema.meta()?.examples ?? [{}]).not.toEqual([]);
  });

  test("without a token every call but the public ones is 401, and says how to authenticate", async () => {
    for (const [, method, path, init] of calls(store)) {
      const answer = await service.call(method, path, init);
      expect(answer.json, path).toMatchObject({ status: 401, code: "unauthenticated" });
      expect(answer.headers["www-authenticate"]).toBe("Bearer");
    }
    expect((await service.call("GET", "/health")).status).toBe(200);
    expect((await service.call("GET", "/openapi.json")).status).toBe(200);
  });

  test.each(["read", "write", "manage"] as const)("a token for %s does that and nothing else", async (granted) => {
    const text = await token(`streamkit::${store}::${granted}`);
    const all = await token(`streamkit::*::${granted}`);
    for (const [permission, method, path, init] of calls(store)) {
      const answer = await service.call(method, path, withToken(init, isOfAll(path) ? all : text));
      // Let in; what is asked for need not be there, nor the body of a type that the call takes.
      if (permission === granted)
        expect([200, 201, 202, 204, 400, 404, 415], `${method} ${path}`).toContain(answer.status);
      else expect(answer.json, path).toMatchObject({ status: 403, code: "permission_denied", permission });
    }
  });

  test("a token for one store opens no other, and does not tell whether it exists", async () => {
    const all = await token("streamkit::*");
    await service.call(
      "POST",
      segmentPath(otherStore, "s", "g", "/records"),
      withToken(json({ records: [{ payload: "" }] }), all),
    );
    const text = await token(`streamkit::${store}`);
    const existing = calls(otherStore);
    const unknown = calls(randomUUID());
    for (const [index, [, method, path, init]] of existing.entries()) {
      const answer = await service.call(method, path, withToken(init, text));
      const [, , unknownPath] = unknown[index]!;
      const other = await service.call(method, unknownPath, withToken(init, text));
      expect(answer.status).toBe(403);
      expect({ ...other.json, requestId: "" }).toEqual({ ...answer.json, requestId: "" });
    }
  });
});

describe("a token", () => {
  test("is good for its store, in any case of letters, and for all stores with *", async () => {
    expect((await status(await token(`streamkit::${store.toUpperCase()}`))).status).toBe(200);
    expect((await status(await token("openid streamkit::*::read"))).status).toBe(200);
    expect((await status(await token("", { payload: { roles: ["streamkit::*"] } }))).status).toBe(200);
    expect((await status(await token("", { payload: { scp: `streamkit::${store}` } }))).status).toBe(200);
  });

  test("without a scope of ours is denied", async () => {
    for (const scope of ["", "streamkit", "streamkit::", "streamkit::*::admin", "xstreamkit::*"]) {
      expect((await status(await token(scope))).json, scope).toMatchObject({ code: "permission_denied" });
    }
  });

  test("that has expired, or is not valid yet, is refused; a little clock skew is not", async () => {
    expect((await status(await token("streamkit::*", { expires: -30 }))).status).toBe(200);
    expect((await status(await token("streamkit::*", { expires: -120 }))).status).toBe(401);
    expect((await status(await token("streamkit::*", { notBefore: 30 }))).status).toBe(200);
    expect((await status(await token("streamkit::*", { notBefore: 120 }))).status).toBe(401);
  });

  test("of another issuer, for another audience, by another key, or changed, is refused", async () => {
    const { privateKey } = await generateKeyPair("ES256");
    const good = await token("streamkit::*");
    const [header, , signature] = good.split(".");
    const forged = Buffer.from(JSON.stringify({ scope: "streamkit::*", iss: issuer, aud: audience, exp: 9e9 }));
    for (const text of [
      await token("streamkit::*", { issuer: "https://other.example/" }),
      await token("streamkit::*", { audience: "other" }),
      await token("streamkit::*", { key: privateKey }),
      `${header}.${forged.toString("base64url")}.${signature}`,
      "nonsense",
      "a.b.c",
      "x".repeat(20_000),
    ]) {
      expect((await status(text)).json).toMatchObject({ status: 401, code: "unauthenticated" });
    }
  });

  test("without a signature, or signed with the public key as a secret, is refused", async () => {
    const claims = { scope: "streamkit::*", iss: issuer, aud: audience, exp: Math.floor(Date.now() / 1_000) + 300 };
    const none = ["none", "None", "NONE"].map((alg) => `${part({ alg, kid: "first" })}.${part(claims)}.`);
    const secret = Buffer.from(JSON.stringify(published[0]));
    const hmac = await new SignJWT(claims).setProtectedHeader({ alg: "HS256", kid: "first" }).sign(secret);
    for (const text of [...none, hmac]) expect((await status(text)).status).toBe(401);
  });

  test("that never expires is refused", async () => {
    const text = await new SignJWT({ scope: "streamkit::*" })
      .setProtectedHeader({ alg: "ES256", kid: "first" })
      .setIssuer(issuer)
      .setAudience(audience)
      .sign(first.privateKey);
    expect((await status(text)).status).toBe(401);
  });

  test("is never in the log", async () => {
    const text = await token("streamkit::*");
    await status(text);
    await status(`${text}x`);
    expect(service.logged.join("")).not.toContain(text.slice(0, 40));
  });
});

describe("the issuer's keys", () => {
  test("may change: a token by a new key is let in as soon as the key is published", async () => {
    const text = await token("streamkit::*", { key: second.privateKey, kid: "second" });
    laterMs += lookUpMs;
    expect((await status(text)).status).toBe(401);
    published = [...published, { ...(await exportJWK(second.publicKey)), kid: "second", alg: "ES256" }];
    const soon = await status(text);
    expect(soon.json).toMatchObject({ status: 429, code: "throttled", retryable: true });
    laterMs += 1_000 * Number(soon.headers["retry-after"]);
    expect((await status(text)).status).toBe(200);
  });

  test("are not asked for because of a token that is not ours by its header", async () => {
    laterMs += lookUpMs;
    const before = fetches;
    const claims = { scope: "streamkit::*", iss: issuer, aud: audience, exp: Math.floor(Date.now() / 1_000) + 300 };
    const hmac = await new SignJWT(claims).setProtectedHeader({ alg: "HS256", kid: "x" }).sign(Buffer.alloc(32));
    for (const text of [hmac, "a.b.c", `${part({ alg: "none" })}.${part(claims)}.`]) {
      expect((await status(text)).status).toBe(401);
    }
    expect(fetches).toBe(before);
  });

  test("are not asked for because of signatures that are not theirs, however many", async () => {
    const { privateKey } = await generateKeyPair("ES256");
    const text = await token("streamkit::*", { key: privateKey });
    const [header, , signature] = (await token("streamkit::*")).split(".");
    laterMs += lookUpMs;
    const before = fetches;
    const changed = (number: number): string => `${header}.${part({ number })}.${signature}`;
    for (let number = 0; number < 50; number += 1) {
      for (const bad of [text, changed(number)]) expect((await status(bad)).status).toBe(401);
    }
    expect(fetches).toBe(before);
  });

  test("that cannot be fetched are 503, not a refusal", async () => {
    const away = await openService({ access: access(new URL("http://127.0.0.1:1/keys")) });
    const headers = bearer(await token("streamkit::*"));
    const answer = await away.call("GET", segmentPath(store, "s", "g"), { headers });
    expect(answer.json).toMatchObject({ status: 503, retryable: true });
    expect(answer.headers["retry-after"]).toBe("30");
    await away.dispose();
  });
});

test("scopes say read, write, or both", () => {
  expect(identityOf("c", [`streamkit::${store}`]).allows(store, "write")).toBe(true);
  expect(identityOf("c", [`streamkit::${store}::read`]).allows(store, "write")).toBe(false);
  expect(identityOf("c", [`streamkit::${store}::read`, "streamkit::*::write"]).allows(store, "write")).toBe(true);
  expect(identityOf("c", []).allows(store, "read")).toBe(false);
});

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

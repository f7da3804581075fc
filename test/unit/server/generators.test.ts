// What generators of clients need of the OpenAPI document, and what their clients send: integers of 64 bits, names for
// all types, null for what is not there.

import { randomUUID } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { openApiDocument } from "../../../src/wire/openapi.ts";
import { json, openService, segmentPath } from "./in-process.ts";
import type { Service } from "./in-process.ts";

type Json = Readonly<Record<string, unknown>>;
interface Described {
  readonly operationId: string;
  readonly security: readonly Json[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Media>> }>>;
}
interface Media {
  readonly schema: Json;
  readonly itemSchema?: Json;
  readonly examples?: Readonly<Record<string, { readonly value: { readonly status: number; readonly code: string } }>>;
}
interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Json>>; readonly securitySchemes?: Json };
}

type Options = Parameters<typeof openApiDocument>[0];
const documentOf = (options: Partial<Options> = {}): Document =>
  openApiDocument({ access: "jwt", media: "all", version: "3.1", ...options }) as unknown as Document;
const callsOf = ({ paths }: Document): readonly Described[] =>
  Object.values(paths).flatMap((path) => Object.values(path));
const document = documentOf();
const { schemas } = document.components;

let service: Service;
beforeAll(async () => {
  service = await openService();
});
afterAll(() => service.dispose());

/** Each object within the value. */
function* within(value: unknown): Generator<Json> {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) yield value as Json;
  for (const part of Object.values(value)) yield* within(part);
}

test("each integer has a format, of 64 bits where it may pass 2^31", () => {
  const integers = [...within(document)].filter(
    ({ type }) => type === "integer" || (Array.isArray(type) && type.includes("integer")),
  );
  expect(integers.length).toBeGreaterThan(50);
  for (const { maximum = Infinity, format } of integers) {
    expect(format).toBe(Number(maximum) < 2 ** 31 ? "int32" : "int64");
  }
});

test("no schema is called as a type of a language", () => {
  const taken = [
    ...Object.getOwnPropertyNames(globalThis),
    ..."Record Partial Required Readonly Pick Omit Exclude Extract Awaited Iterable Iterator Node Element Document".split(
      " ",
    ),
    ..."Exception Task Type Action Func List Dictionary Guid Thread Stream Optional Class Character Void Module Encoding Version".split(
      " ",
    ),
  ];
  expect(Object.keys(schemas).filter((name) => taken.includes(name))).toEqual([]);
});

test("each body in JSON, and each enumeration, has a name", () => {
  for (const { operationId, requestBody, responses } of callsOf(document)) {
    for (const { content } of [requestBody, ...Object.values(responses)].filter((part) => part !== undefined)) {
      const media = content?.["application/json"];
      if (media !== undefined)
        expect(media.schema, operationId).toEqual({
          $ref: expect.stringMatching(/^#\/components\/schemas\//) as unknown,
        });
    }
  }
  const named = new Set<unknown>(Object.values(schemas));
  const unnamed = [...within(document)].filter((schema) => Array.isArray(schema["enum"]) && !named.has(schema));
  expect(unnamed).toEqual([]);
});

test("no type is a union of shapes", () => {
  const unions = Object.entries(schemas).filter(([, schema]) => "anyOf" in schema || "oneOf" in schema);
  expect(unions).toEqual([]);
});

test("an effect that is absent reads as unknown, and the sentence of a problem is marked", () => {
  expect((schemas["Effect"] as { readonly enum: readonly string[] }).enum[0]).toBe("unknown");
  expect(schemas["Problem"]).toMatchObject({ properties: { detail: { "x-ms-primary-error-message": true } } });
});

test("each member that a problem may carry is declared", () => {
  const declared = Object.keys((schemas["Problem"] as { readonly properties: Json }).properties);
  const root = join(import.meta.dirname, "../../../src");
  const carried = globSync(
    [
      "core/**/*.ts",
      "wire/**/*.ts",
      "server/**/*.ts",
      "store/**/*.ts",
      "lease/**/*.ts",
      "notify/**/*.ts",
      "consumers/**/*.ts",
    ],
    { cwd: root },
  )
    .flatMap((file) => [...readFileSync(join(root, file), "utf8").matchAll(/details: (\{.*?\})[,\n ]/gs)])
    .flatMap(([, details = ""]) =>
      [...details.matchAll(/(?<![.\w])(?:\{ |, )(\w+)(?=[:,} ])/g)].map(([, name]) => name),
    );
  expect(carried.length).toBeGreaterThan(15);
  expect(carried.filter((name) => !declared.includes(name!))).toEqual([]);
});

test("an optional member of a body may be null", async () => {
  const store = randomUUID();
  const produced = await service.call(
    "POST",
    segmentPath(store, "s", "g", "/records?encoding=json"),
    json({ records: [{ sequence: null, payload: null, metadata: null }] }),
  );
  expect(produced.json, produced.text).toMatchObject({ status: { lastSequence: 1 } });
  const bodies: [string, string, unknown][] = [
    [
      "POST",
      `/v1/stores/${store}/consume?encoding=json`,
      { offsets: { s: "" }, after: null, until: null, limit: null },
    ],
    [
      "PUT",
      `/v1/stores/${store}/subscriptions/x`,
      { space: "s", segment: "*", target: { queue: "sub-a", webhook: null }, rotateSecret: null, lastError: null },
    ],
  ];
  for (const [method, path, body] of bodies) {
    const answer = await service.call(method, path, json(body));
    expect([200, 201], answer.text).toContain(answer.status);
  }
  const entry = await service.call("GET", segmentPath(store, "s", "g", "/last?encoding=json"));
  expect(entry.json.payload).toBeNull();
});

test("a required member of a body may not be null", async () => {
  const path = `/v1/stores/${randomUUID()}`;
  const refused = await service.call("POST", `${path}/spaces/s/segments/g/records`, json({ records: null }));
  expect(refused.json).toMatchObject({ code: "invalid_argument", field: "records" });
  for (const target of [{}, { queue: null }, { queue: "sub-a", webhook: "https://a.test/" }, null]) {
    const answer = await service.call("PUT", `${path}/subscriptions/x`, json({ space: "s", segment: "*", target }));
    expect(answer.json, JSON.stringify(target)).toMatchObject({ code: "invalid_argument", field: "target" });
  }
});

test("the answer of GET of a subscription can be PUT back", async () => {
  const path = `/v1/stores/${randomUUID()}/subscriptions/billing`;
  for (const target of [{ queue: "sub-billing" }, { webhook: "https://billing.test/hook" }]) {
    const made = await service.call("PUT", path, json({ space: "orders", segment: "*", target }));
    expect([200, 201], made.text).toContain(made.status);
    const got = await service.call("GET", path);
    const again = await service.call("PUT", path, json(got.json));
    expect(again.status, again.text).toBe(200);
    expect(again.json).toEqual(got.json);
    expect((await service.call("PUT", path, json(made.json))).json).toEqual(got.json);
  }
});

test("a PUT ignores every member that the service makes", async () => {
  const path = `/v1/stores/${randomUUID()}/subscriptions/billing`;
  const wanted = { space: "orders", segment: "*", target: { queue: "sub-billing" } };
  const made = await service.call("PUT", path, json(wanted));
  expect(made.status, made.text).toBe(201);
  const isWanted = (name: string): boolean => ["space", "segment", "prefix", "target"].includes(name);
  const { properties } = schemas["Subscription"] as { readonly properties: Readonly<Record<string, Json>> };
  const names = Object.keys(properties).filter((name) => !isWanted(name));
  expect(names.length).toBeGreaterThan(10);
  const inBody = (schemas["SubscriptionPutBody"] as { readonly properties: Readonly<Record<string, Json>> }).properties;
  for (const name of names) {
    expect(inBody[name], name).toMatchObject({ readOnly: true });
    for (const value of [12, "other", { at: 1, reason: "r", more: [] }, null]) {
      const answer = await service.call("PUT", path, json({ ...wanted, [name]: value }));
      expect(answer.status, `${name}: ${answer.text}`).toBe(200);
      expect(answer.json, name).toEqual(made.json);
    }
  }
  const all = Object.fromEntries(names.map((name) => [name, 12]));
  expect((await service.call("PUT", path, json({ ...wanted, ...all }))).json).toEqual(made.json);
});

test("answers are open, bodies are closed", () => {
  const isClosed = ({ additionalProperties }: Json): boolean => additionalProperties === false;
  const closed: string[] = [];
  for (const { operationId, requestBody, responses } of callsOf(document)) {
    for (const [status, response] of Object.entries(responses)) {
      for (const schema of reached(response)) expect(isClosed(schema), `${operationId} ${status}`).toBe(false);
    }
    const body = requestBody?.content["application/json"]?.schema;
    if (body === undefined) continue;
    expect(isClosed(resolved(body)), operationId).toBe(true);
    closed.push(operationId);
  }
  expect(closed).toEqual([
    "produce",
    "produceAll",
    "consume",
    "trimSegment",
    "trimSpace",
    "redact",
    "spaceRetentionPut",
    "storeRetentionPut",
    "storePut",
    "leaseAcquire",
    "consumerPut",
    "consumerFetch",
    "consumerAck",
    "consumerNack",
    "consumerReset",
    "consumerSettle",
    "subscriptionPut",
  ]);
});

test("each member of a problem has one type, but those that are a sequence or something else, which have none", () => {
  const { properties } = schemas["Problem"] as { readonly properties: Readonly<Record<string, Json>> };
  const isOfOne = ({ type, $ref }: Json): boolean => typeof type === "string" || typeof $ref === "string";
  const others = Object.keys(properties).filter((name) => !isOfOne(properties[name]!));
  expect(others).toEqual(["expected", "earliest"]);
  for (const name of others) expect(Object.keys(properties[name]!), name).toEqual(["description"]);
});

function resolved(schema: Json): Json {
  const { $ref } = schema;
  return (typeof $ref === "string" ? schemas[$ref.replace("#/components/schemas/", "")] : undefined) ?? schema;
}

/** Each object within the value, and within the components that it refers to. */
function reached(value: unknown, seen = new Set<Json>()): ReadonlySet<Json> {
  for (const schema of within(value)) {
    if (seen.has(schema)) continue;
    seen.add(schema);
    if (typeof schema["$ref"] === "string") reached(resolved(schema), seen);
  }
  return seen;
}

describe("the document says how callers are known", () => {
  test("with keys a 401 comes from the host, without a body, and nobody is forbidden anything", () => {
    const calls = callsOf(documentOf({ access: "key" })).filter(({ security }) => security.length > 0);
    expect(calls.length).toBeGreaterThan(10);
    for (const { security, responses } of calls) {
      expect(security).toEqual([{ key: [] }]);
      expect(responses["401"]).not.toHaveProperty("content");
      expect(responses["401"]).toBeDefined();
      expect(responses["403"]).toBeUndefined();
    }
  });

  test("with tokens both are problems, with none there are neither", () => {
    const [produce] = callsOf(documentOf({ access: "jwt" }));
    expect(produce?.security).toEqual([{ jwt: [] }]);
    expect(produce?.responses).toMatchObject({ 401: { content: {} }, 403: { content: {} } });
    const open = documentOf({ access: "none" });
    expect(open.components.securitySchemes).toBeUndefined();
    for (const { security, responses } of callsOf(open)) {
      expect(security).toEqual([]);
      expect(Object.keys(responses)).not.toContain("401");
    }
  });

  test("as the app is set", async () => {
    const keyed = await openService({ accessKind: "key" });
    expect((await keyed.call("GET", "/openapi.json")).json).toMatchObject({
      components: { securitySchemes: { key: {} } },
    });
    await keyed.dispose();
  });
});

test("media=json leaves lines and events out", async () => {
  const { text } = await service.call("GET", "/openapi.json?media=json");
  expect(text).not.toMatch(/x-ndjson|event-stream/);
  expect(JSON.parse(text)).toMatchObject({ openapi: "3.1.0" });
});

test("version=3.2 describes each line and each event", () => {
  const described = documentOf({ version: "3.2" });
  expect(described.openapi).toBe("3.2.0");
  const streams = callsOf(described).flatMap(({ requestBody, responses }) =>
    [requestBody, responses["200"]].flatMap((part) =>
      Object.entries(part?.content ?? {}).filter(([type]) => /ndjson|event-stream/.test(type)),
    ),
  );
  expect(streams.length).toBeGreaterThan(5);
  for (const [type, media] of streams) expect(media.itemSchema, type).toBeTypeOf("object");
});

test("each error has examples of its own status and codes", () => {
  for (const { operationId, responses } of callsOf(document)) {
    for (const [status, { content }] of Object.entries(responses)) {
      const problem = content?.["application/problem+json"];
      if (problem === undefined) continue;
      const examples = Object.entries(problem.examples ?? {});
      expect(examples.length, `${operationId} ${status}`).toBeGreaterThan(0);
      for (const [code, { value }] of examples) expect(value).toMatchObject({ code, status: Number(status) });
    }
  }
});

test("the document has the version of the package", () => {
  const root = join(import.meta.dirname, "../../..");
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly version: string };
  expect(document).toMatchObject({ info: { version } });
});

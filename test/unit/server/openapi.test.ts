// The OpenAPI document is true: every call that it describes is made from it, every answer and error fits it.

import { randomUUID } from "node:crypto";

import type { HttpResponseInit, InvocationContext } from "@azure/functions";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { StoreError } from "../../../src/core/errors.ts";
import type { ErrorCode } from "../../../src/core/errors.ts";
import type { StoreId } from "../../../src/core/ids.ts";
import type { Jobs } from "../../../src/jobs/jobs.ts";
import type { Consumers } from "../../../src/consumers/consumers.ts";
import type { Leases } from "../../../src/lease/leases.ts";
import type { Subscriptions } from "../../../src/notify/subscriptions.ts";
import type { Retention } from "../../../src/retention/retention.ts";
import type { Access } from "../../../src/server/access.ts";
import { misconfiguredHandler } from "../../../src/server/functions-http.ts";
import type { StoreCatalog } from "../../../src/store/catalog.ts";
import type { Store } from "../../../src/store/store.ts";
import { errorKinds } from "../../../src/wire/errors.ts";
import { openApiDocument } from "../../../src/wire/openapi.ts";
import { operations } from "../../../src/wire/operations.ts";
import type { Operation } from "../../../src/wire/operation.ts";
import { openService } from "./in-process.ts";
import type { Reply, ReplyBody, Service } from "./in-process.ts";

interface Described {
  readonly operationId: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly in: string;
    readonly required: boolean;
    readonly example?: string;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly description: string;
        readonly content?: Readonly<Record<string, Media>>;
        readonly headers?: Readonly<Record<string, unknown>>;
      }
    >
  >;
}
interface Media {
  readonly schema: { readonly examples?: readonly unknown[] } & Readonly<Record<string, unknown>>;
  readonly example?: unknown;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  readonly components: object;
}

const document = openApiDocument({ access: "jwt", media: "all", version: "3.1" }) as unknown as Document;
const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema(document, "document");

const described: readonly (readonly [path: string, method: string, Described])[] = Object.entries(
  document.paths,
).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => [path, method.toUpperCase(), operation] as const),
);

let service: Service;
beforeAll(async () => {
  service = await openService({ options: { streamMs: 50, heartbeatMs: 1_000 } });
});
afterAll(() => service.dispose());

test("every call is described, once", () => {
  expect(described.map(([, , operation]) => operation.operationId).sort()).toEqual(
    operations.map(({ id }) => id).sort(),
  );
});

describe.each(described)("%s %s", (_path, _method, operation) => {
  const definition = operations.find(({ id }) => id === operation.operationId)!;

  test("made from its examples, answers in each form as described", async () => {
    const store = randomUUID();
    const bodies: [string | undefined, unknown][] =
      operation.requestBody === undefined
        ? [[undefined, undefined]]
        : Object.entries(operation.requestBody.content).map(([type, media]) => [type, exampleOf(media)]);
    for (const [bodyType, body] of bodies) {
      const { content } = operation.responses[definition.status]!;
      for (const [accept, media] of Object.entries(content ?? { nothing: undefined })) {
        const prepared = await prepare(definition, store);
        const answer = await makeCall(service, definition, { store, accept, bodyType, body, ...prepared });
        if (definition.accepted !== undefined && answer.status === 202) {
          expectValid(operation.responses["202"]!.content!["application/json"]!.schema, answer.json);
          continue;
        }
        expect(answer.status, answer.text).toBe(definition.created === true ? 201 : definition.status);
        if (media === undefined) {
          expect(answer.text).toBe("");
          continue;
        }
        expect(answer.headers["content-type"]).toBe(accept);
        expect(answer.headers["x-request-id"]).toBeTypeOf("string");
        if (accept === "application/json") expectValid(media.schema, answer.json);
        if (accept === "application/x-ndjson") {
          for (const line of answer.lines) expectValid(media.schema["x-line"] as object, line);
        }
      }
    }
  });

  test("says which answer tells of something new", () => {
    expect("201" in operation.responses).toBe(definition.created === true);
  });

  test("says where a time to come back may be told", () => {
    for (const [status, response] of Object.entries(operation.responses)) {
      const mayBe = definition.errors.some(
        (code) => errorKinds[code].retryable !== false && errorKinds[code].status === Number(status),
      );
      expect("retry-after" in (response.headers ?? {}), status).toBe(mayBe);
    }
  });

  test.each(definition.errors)("answers %s as described", async (code) => {
    const answer = await provoke(definition, code);
    expect(answer.json, answer.text).toMatchObject({ code, status: errorKinds[code].status });
    const response = operation.responses[String(answer.status)];
    expect(response?.description).toContain(`\`${code}\``);
    expectValid({ $ref: "#/components/schemas/Problem" }, answer.json);
    if (answer.status === 429 || answer.status === 503)
      expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
  });
});

test("every answer that a transaction can have fits the description: also of a segment without records", async () => {
  const definition = operations.find(({ id }) => id === "produceAll")!;
  const [, , operation] = described.find(([, , { operationId }]) => operationId === "produceAll")!;
  const answer = await makeCall(service, definition, { body: { segments: [{ segment: "a", records: [] }] } });
  expect(answer.status).toBe(200);
  expectValid(operation.responses["200"]!.content!["application/json"]!.schema, answer.json);
});

interface CallParts {
  readonly store?: string;
  readonly job?: string;
  readonly accept?: string;
  readonly bodyType?: string | undefined;
  readonly body?: unknown;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function makeCall(target: Service, operation: Operation, parts: CallParts = {}): Promise<Reply> {
  const { accept = "application/json", bodyType = Object.keys(operation.body ?? {})[0], query = "" } = parts;
  const names: Record<string, string> = {
    ...{ store: parts.store ?? randomUUID(), space: "orders", segment: "order-1" },
    ...{ key: "reports", id: "billing", consumer: "billing", job: parts.job ?? randomUUID() },
  };
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => names[name]!);
  const encoding = "encoding" in operation.query.shape ? "encoding=json" : "";
  const content = Object.values(operation.body ?? {})[0];
  const body = parts.body ?? (content === undefined ? undefined : content.schema.meta()?.["examples"]);
  const example = Array.isArray(body) ? (body[0] as unknown) : body;
  return target.call(
    operation.method,
    `${path}?${[encoding, ...requiredQuery(operation, names), query].filter(Boolean).join("&")}`,
    {
      headers: { accept, ...(bodyType === undefined ? {} : { "content-type": bodyType }), ...parts.headers },
      ...(example === undefined ? {} : { body: typeof example === "string" ? example : JSON.stringify(example) }),
    },
  );
}

/** As the description gives an example of them. */
function requiredQuery(operation: Operation, names: Readonly<Record<string, string>>): string[] {
  const [, , { parameters }] = described.find(([, , { operationId }]) => operationId === operation.id)!;
  return parameters
    .filter((parameter) => parameter.in === "query" && parameter.required)
    .map(({ name, example }) => {
      // A store is new each time, and is confirmed by its id.
      const value = operation.id === "deleteStore" && name === "confirm" ? names["store"]! : example!;
      return `${name}=${encodeURIComponent(value)}`;
    });
}

/** What a call works on, where it has to be there before. */
async function prepare({ id }: Operation, store: string): Promise<CallParts> {
  if (id === "job") {
    const request = { kind: "trimSpace", asked: {}, caller: "anyone" };
    return { job: (await service.services.jobs.start(store as StoreId, request)).id };
  }
  const policy = /^(space|store)Retention(?:Get|Delete)$/.exec(id)?.[1];
  if (policy !== undefined) {
    const put = operations.find((operation) => operation.id === `${policy}RetentionPut`)!;
    expect((await makeCall(service, put, { store })).status).toBe(200);
    return {};
  }
  if (id === "redact") {
    const put = operations.find((operation) => operation.id === "produce")!;
    const body = { records: [{ payload: "one" }, { payload: "two" }] };
    expect((await makeCall(service, put, { store, body })).status).toBe(200);
    return {};
  }
  if (id.startsWith("consumer") && id !== "consumers" && id !== "consumerPut") return prepareConsumer(id, store);
  if (id !== "subscriptionGet" && id !== "subscriptionDelete") return {};
  const put = operations.find((operation) => operation.id === "subscriptionPut")!;
  const answer = await makeCall(service, put, { store });
  expect([200, 201], answer.text).toContain(answer.status);
  return {};
}

/** A consumer with an entry that is parked for those who list, delivered for those who acknowledge. */
async function prepareConsumer(id: string, store: string): Promise<CallParts> {
  const made = (name: string, parts: CallParts = {}) =>
    makeCall(
      service,
      operations.find((operation) => operation.id === name)!,
      { store, ...parts },
    );
  await made("consumerPut");
  await made("produce");
  const { deliveries } = (await made("consumerFetch")).json as unknown as {
    readonly deliveries: readonly {
      readonly claim: string;
      readonly entries: readonly { readonly offset: string }[];
    }[];
  };
  const { claim, entries } = deliveries.find((delivery) => delivery.entries.length > 0)!;
  const failed = { claim, offset: entries[0]!.offset, action: "park" };
  if (id === "consumerAck") return { body: { claim } };
  if (id === "consumerNack") return { body: failed };
  if (id === "consumerFetch") return { body: { worker: "another", ack: [{ claim }] } };
  await made("consumerNack", { body: failed });
  return {};
}

/** Makes the call fail with this code, at the place where such a failure arises. */
async function provoke(operation: Operation, code: ErrorCode): Promise<Reply> {
  switch (code) {
    case "invalid_argument":
      return makeCall(service, operation, { query: "no-such-parameter=1" });
    case "not_acceptable":
      return makeCall(service, operation, { accept: "image/png" });
    case "unsupported_media_type":
      return makeCall(service, operation, { bodyType: "text/plain" });
    case "request_too_large":
      return makeCall(service, operation, { headers: { "content-length": String(100 * 1024 * 1024 + 1) } });
    case "unauthenticated":
      return withService({ access: { authenticate: () => Promise.reject(new StoreError(code, "Who?")) } }, operation);
    case "permission_denied": {
      const access: Access = { authenticate: () => Promise.resolve({ caller: "c", allows: () => false }) };
      return withService({ access }, operation);
    }
    case "misconfigured": {
      const handler = misconfiguredHandler(new StoreError("invalid_argument", "A setting is wrong."));
      const context = { invocationId: randomUUID(), error: () => undefined } as unknown as InvocationContext;
      const { status, headers, body } = (await handler(undefined as never, context)) as HttpResponseInit;
      const text = body as string;
      const json = JSON.parse(text) as ReplyBody;
      return { status: status!, headers: headers as Record<string, string>, text, json, lines: [] };
    }
    default: {
      const failure = new StoreError(code, "It fails.");
      const stores = { open: () => failing(failure), close: () => Promise.resolve() };
      const others = {
        leases: () => failing(failure),
        consumers: () => failing(failure),
        subscriptions: failing(failure),
        jobs: failing(failure),
        catalog: failing(failure),
        retention: failing(failure),
        lastMonitorRun: () => Promise.reject(failure),
      };
      // A storage that answers a probe with anything but success is not well.
      const probed = code === "internal" ? new Error("It fails.") : failure;
      return withService({ stores, ...others, probe: () => Promise.reject(probed) }, operation);
    }
  }
}

async function withService(changes: Parameters<typeof openService>[0], operation: Operation): Promise<Reply> {
  const changed = await openService(changes);
  try {
    return await makeCall(changed, operation, operation.id === "health" ? { query: "deep=true" } : {});
  } finally {
    await changed.dispose();
  }
}

type Failing = Store & Leases & Subscriptions & Jobs & Retention & Consumers & StoreCatalog;

/** Every promise and every stream of it fails. */
function failing(failure: StoreError): Failing {
  const fails = () => ({
    then: (_: unknown, reject: (error: unknown) => void) => reject(failure),
    [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(failure) }),
  });
  return new Proxy({} as Failing, { get: () => fails });
}

function exampleOf(media: Media): unknown {
  return media.example ?? media.schema.examples?.[0];
}

function expectValid(schema: object, value: unknown): void {
  const validate = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"document#/')) as object);
  validate(value);
  expect(validate.errors ?? []).toEqual([]);
}

// Each call of /docs works as it is filled in: built from the document as the viewer builds it, in its order, in each
// form of a body and of an answer, and sent to the app.

import { randomUUID } from "node:crypto";

import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { openApiDocument } from "../../src/wire/openapi.ts";
import { startApp } from "./harness.ts";
import type { RunningApp } from "./harness.ts";

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Call>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, { readonly default?: unknown }>> };
}
interface Call {
  readonly operationId: string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly example?: unknown }>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Media>> }>>;
}
interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly example?: unknown;
  readonly schema: { readonly $ref?: string; readonly default?: unknown };
}
interface Media {
  readonly schema: Readonly<Record<string, unknown>>;
}
interface FilledIn {
  readonly title: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly call: Call;
}

const document = openApiDocument({ access: "none", media: "all", version: "3.1" }) as unknown as Document;
const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema(document, "document");

let app: RunningApp;
beforeAll(async () => {
  // Tables of its own: what is filled in names the same store in every run.
  app = await startApp({ env: { STREAMKIT_TABLE_PREFIX: `calls${randomUUID().slice(0, 8)}` } });
}, 120_000);
afterAll(() => app.stop());

test("the app serves the document that the calls are built from", async () => {
  expect(await (await fetch(`${app.url}/openapi.json`)).json()).toEqual(JSON.parse(JSON.stringify(document)));
});

// Twice: people press the button again.
describe.each(["for the first time", "once more"])("%s", () => {
  test.each(Object.entries(document.paths).flatMap(([path, calls]) => callsOf(path, calls)))(
    "$title",
    async (filled) => {
      const { method, headers, call } = filled;
      const isDeletion = call.operationId === "deleteSpace" || call.operationId === "deleteStore";
      // The other calls go on in the store: what is deleted is of another one.
      const path = isDeletion ? filled.path.replaceAll(storeOf(filled.path), randomUUID()) : filled.path;
      // A call that ends something has its object made by the call beside it, as a reader of the page does.
      if (method === "DELETE" && !isDeletion) await makeBeside(path.replace(/\?.*/, ""));
      const body = await claimed(path, filled.body);
      const leaving = new AbortController();
      const answer = await fetch(app.url + path, {
        ...{ method, headers, signal: leaving.signal },
        ...(body === undefined ? {} : { body }),
      });
      const accept = headers["accept"];
      if (accept === "text/event-stream") {
        expect([answer.status, answer.headers.get("content-type")]).toEqual([200, accept]);
        expect(await untilLive(answer)).toContain("event: live");
        leaving.abort();
        return;
      }
      const text = await answer.text();
      if (call.operationId === "job") {
        // Nothing in a store as small as this takes longer than a call: there is no job to ask for.
        expect([answer.status, JSON.parse(text)]).toMatchObject([404, { code: "not_found" }]);
        return;
      }
      expect(answer.ok, `${answer.status} ${text}`).toBe(true);
      const described = call.responses[String(answer.status)];
      expect(described, String(answer.status)).toBeDefined();
      if (isDeletion && answer.status === 202) {
        expectValid(described!.content!["application/json"]!.schema, JSON.parse(text));
        return;
      }
      if (accept === undefined) {
        expect(text).toBe("");
        return;
      }
      expect(answer.headers.get("content-type")).toBe(accept);
      const { schema } = described!.content![accept]!;
      if (accept === "application/json") expectValid(schema, JSON.parse(text));
      else for (const line of text.trimEnd().split("\n")) expectValid(schema["x-line"] as object, JSON.parse(line));
    },
  );
});

/** The id of the store in a path. */
function storeOf(path: string): string {
  return path.split("/")[3]!.replace(/\?.*/, "");
}

/** One for each form of the body and of the answer. */
function callsOf(path: string, calls: Readonly<Record<string, Call>>): FilledIn[] {
  return Object.entries(calls).flatMap(([method, call]) => {
    const done = call.responses["200"] ?? call.responses["204"]!;
    const bodies: (readonly [string, { readonly example?: unknown }] | undefined)[] =
      call.requestBody === undefined ? [undefined] : Object.entries(call.requestBody.content);
    const accepts = done.content === undefined ? [undefined] : Object.keys(done.content);
    return bodies.flatMap((body) =>
      accepts.map((accept) => ({
        title: [call.operationId, body?.[0], accept].filter((part) => part !== undefined).join(" "),
        method: method.toUpperCase(),
        path: targetOf(path, call),
        headers: {
          ...valuesOf(call, "header"),
          ...(accept === undefined ? {} : { accept }),
          ...(body === undefined ? {} : { "content-type": body[0] }),
        },
        body: body === undefined ? undefined : textOf(body[1].example),
        call,
      })),
    );
  });
}

function targetOf(path: string, call: Call): string {
  const values = valuesOf(call, "path");
  const named = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? "MISSING"));
  return `${named}?${String(new URLSearchParams(valuesOf(call, "query")))}`;
}

/** What the viewer fills in: the example of a parameter, else the default of its schema. */
function valuesOf({ parameters }: Call, place: Parameter["in"]): Record<string, string> {
  const filled = parameters
    .filter((parameter) => parameter.in === place)
    .map(({ name, example, schema }) => [name, example ?? defaultOf(schema)] as const)
    .filter(([, value]) => value !== undefined);
  return Object.fromEntries(filled.map(([name, value]) => [name, textOf(value)]));
}

function defaultOf(schema: Parameter["schema"]): unknown {
  const name = schema.$ref?.replace("#/components/schemas/", "");
  return (name === undefined ? schema : document.components.schemas[name])?.default;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

async function makeBeside(path: string): Promise<void> {
  const put = document.paths[Object.keys(document.paths).find((template) => fits(template, path))!]!["put"]!;
  const body = textOf(put.requestBody!.content["application/json"]!.example);
  const answer = await fetch(app.url + path, { method: "PUT", headers: { "content-type": "application/json" }, body });
  expect(answer.ok, await answer.text()).toBe(true);
}

/** A call of a consumer has it made before; one with a claim has the one that a worker was given just now. */
async function claimed(path: string, body: string | undefined): Promise<string | undefined> {
  const [, consumer, last] = /^(.*\/consumers\/[^/?]+)\/(\w+)/.exec(path) ?? [];
  if (consumer === undefined) return body;
  await makeBeside(consumer);
  if (body === undefined || (last !== "ack" && last !== "nack")) return body;
  const post = async (call: string, asked: unknown): Promise<unknown> => {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${app.url}${consumer}/${call}`, {
      method: "POST",
      headers,
      body: JSON.stringify(asked),
    });
    return answer.json();
  };
  await post("reset", { from: "start" });
  const { deliveries } = (await post("fetch", { worker: "reader" })) as {
    readonly deliveries: readonly {
      readonly claim: string;
      readonly entries: readonly { readonly offset: string }[];
    }[];
  };
  const delivery = deliveries.find(({ entries }) => entries.length > 0)!;
  const example = JSON.parse(body) as { readonly offset?: string };
  const offset = example.offset === undefined ? {} : { offset: delivery.entries[0]!.offset };
  return JSON.stringify({ ...example, claim: delivery.claim, ...offset });
}

function fits(template: string, path: string): boolean {
  return new RegExp(`^${template.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(path);
}

/** What comes until all that there was has been told. */
async function untilLive(answer: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of answer.body as AsyncIterable<Uint8Array>) {
    text += decoder.decode(piece, { stream: true });
    if (/^event: (live|problem)\n/m.test(text)) break;
  }
  return text;
}

function expectValid(schema: object, value: unknown): void {
  const validate = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"document#/')) as object);
  validate(value);
  expect(validate.errors ?? []).toEqual([]);
}

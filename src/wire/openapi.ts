// The OpenAPI document, made from the definitions that requests are parsed with: it cannot say anything else. It
// describes the app as it is set: who may call, and on request only the forms that generators of clients can make use
// of.

import type * as z from "zod";
import { ZodOptional } from "zod";

import type { ErrorCode } from "../core/errors.ts";
import { version } from "../core/version.ts";
import { errorCodes, errorKinds, mayRetryAfter, problemSchema } from "./errors.ts";
import { mediaTypes } from "./operation.ts";
import type { Contents, Operation } from "./operation.ts";
import { Components } from "./openapi-schemas.ts";
import type { Json } from "./openapi-schemas.ts";
import { operations } from "./operations.ts";
import { problemExample } from "./problem-examples.ts";
import { recordSchema } from "./records.ts";

export interface OpenApiOptions {
  /** How callers are known. */
  readonly access: "key" | "jwt" | "none";
  /** `json`: without lines and events. A generator that sees several forms of one body sends none of their types. */
  readonly media: "all" | "json";
  /** 3.2 describes each line and each event by a schema (`itemSchema`); 3.1 has no place for that. */
  readonly version: "3.1" | "3.2";
}

const texts = new Map<string, string>();

/** Each made once, when it is first asked for. */
export function openApiText(options: OpenApiOptions): string {
  const key = JSON.stringify(options);
  const text = texts.get(key) ?? JSON.stringify(openApiDocument(options));
  texts.set(key, text);
  return text;
}

export function openApiDocument(options: OpenApiOptions): Json {
  const components = new Components();
  components.named(recordSchema, "input");
  components.named(problemSchema, "output");
  const described = new Description(options, components);
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of operations) {
    const path = (paths[operation.path] ??= {});
    path[operation.method.toLowerCase()] = described.operation(operation);
  }
  return {
    openapi: options.version === "3.2" ? "3.2.0" : "3.1.0",
    info: {
      title: "streamkit",
      version,
      description: `Ordered event streams: a store has spaces, a space has segments, a segment has entries 1, 2, 3 ... Errors are application/problem+json with a stable \`code\`. \`x-request-id\` is in every answer. HEAD is answered wherever GET is; another method than those of a path is 405, with \`Allow\`. ${accessTexts[options.access]}`,
      contact: { name: "Whoever runs this service" },
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/", description: "Where this description comes from." }],
    tags: [...new Set(operations.map(({ tag }) => tag))].map((name) => ({ name, description: tagTexts[name] })),
    paths,
    components: {
      schemas: components.schemas,
      headers: {
        RequestId: { description: "The id of the request in the logs.", schema: { type: "string" } },
        RetryAfter: { description: "When to try again, seconds.", schema: { type: "integer", format: "int64" } },
      },
      ...(options.access === "none" ? {} : { securitySchemes: { [options.access]: schemes[options.access] } }),
    },
  };
}

const accessTexts = {
  key: "Callers have a key of the function app in `x-functions-key`: the host refuses others before the app sees them, with an empty 401.",
  jwt: "Callers have a bearer token.",
  none: "It asks nobody who he is.",
} as const;

const schemes = {
  key: { type: "apiKey", in: "header", name: "x-functions-key", description: "A key of the function app." },
  jwt: { type: "http", scheme: "bearer", bearerFormat: "JWT", description: "A token of the issuer that is set." },
} as const;

const tagTexts: Readonly<Record<Operation["tag"], string>> = {
  Produce: "Append records.",
  Consume: "Read entries, and where segments are.",
  Manage: "End what is not needed any more.",
  Stores: "Which stores there are, and what people call them.",
  Names: "Which spaces and segments there are.",
  Leases: "Be the only one to do something.",
  Consumers: "Share the work on entries between workers, with positions that the service keeps.",
  Subscriptions: "Be told when segments have changed.",
  Service: "The service itself.",
};

class Description {
  readonly #options: OpenApiOptions;
  readonly #components: Components;

  constructor(options: OpenApiOptions, components: Components) {
    this.#options = options;
    this.#components = components;
  }

  operation(operation: Operation): Json {
    const { access } = this.#options;
    const isPublic = operation.access === "public";
    return {
      operationId: operation.id,
      tags: [operation.tag],
      summary: operation.summary,
      description: operation.description,
      security: isPublic || access === "none" ? [] : [{ [access]: [] }],
      parameters: [
        ...this.#parameters(operation.params, "path"),
        ...this.#parameters(operation.query, "query"),
        ...this.#parameters(operation.headers, "header"),
      ],
      ...(operation.body === undefined
        ? {}
        : {
            requestBody: {
              required: true,
              content: this.#content(operation.body, "input", `${capital(operation.id)}Body`),
            },
          }),
      responses: {
        [operation.status]: this.#answer(operation, "Done."),
        ...(operation.created === true ? { 201: this.#answer(operation, "Made.") } : {}),
        ...(operation.accepted === undefined ? {} : { 202: this.#accepted(operation.accepted) }),
        ...(operation.over === true ? { 204: overAnswer } : {}),
        ...(access === "key" && !isPublic
          ? { 401: { description: "No key, or a wrong one. The host says so, without a body." } }
          : {}),
        ...this.#failures(operation),
      },
    };
  }

  #answer(operation: Operation, description: string): Json {
    const content = this.#content(operation.answer, "output", `${capital(operation.id)}Answer`);
    return {
      description,
      headers: { "x-request-id": { $ref: "#/components/headers/RequestId" } },
      ...(Object.keys(content).length === 0 ? {} : { content }),
    };
  }

  #accepted(job: Contents): Json {
    return {
      description: "It takes longer than a call may, and goes on as a job.",
      headers: {
        "x-request-id": { $ref: "#/components/headers/RequestId" },
        location: { description: "Where the job is told of.", schema: { type: "string" } },
      },
      content: this.#content(job, "output", "Job"),
    };
  }

  #parameters(schema: z.ZodObject, place: "path" | "query" | "header"): Json[] {
    return Object.entries(schema.shape).map(([name, value]) => {
      const { type, description } = this.#components.parameter(value as z.ZodType, name);
      const examples = examplesOf(value as z.ZodType);
      const required = !(value as z.ZodType).safeParse(undefined).success;
      const hasDefault = (value as z.ZodType).safeParse(undefined).data !== undefined;
      // A viewer fills an example of the parameter in: what is optional and has no default has one of its schema, to be
      // read.
      const filledIn = examples !== undefined && (required || hasDefault);
      return {
        name,
        in: place,
        required,
        ...(description === undefined ? {} : { description }),
        schema: examples === undefined || filledIn ? type : { ...type, examples },
        ...(filledIn ? { example: examples[0] } : {}),
      };
    });
  }

  #content(contents: Contents, io: "input" | "output", name: string): Json {
    const wanted = Object.entries(contents).filter(
      ([type]) => this.#options.media === "all" || type === mediaTypes.json,
    );
    return Object.fromEntries(
      wanted.map(([type, content]) => {
        const [example] = examplesOf(content.schema) ?? [];
        const shown = content.example ?? (io === "input" ? example : undefined);
        return [type, { ...this.#form(type, content, io, name), ...(shown === undefined ? {} : { example: shown }) }];
      }),
    );
  }

  #form(
    type: string,
    { schema, description }: Contents[keyof Contents] & object,
    io: "input" | "output",
    name: string,
  ) {
    if (type === mediaTypes.json) return { schema: this.#components.body(schema, io, name) };
    const whole = { type: "string", ...(description === undefined ? {} : { description }) };
    if (type !== mediaTypes.ndjson) {
      return { schema: whole, ...(this.#options.version === "3.2" ? { itemSchema: eventSchema } : {}) };
    }
    const line = this.#components.line(schema, io);
    return this.#options.version === "3.2"
      ? { schema: whole, itemSchema: line }
      : { schema: { ...whole, contentMediaType: type, "x-line": line } };
  }

  /** One response a status; its description names the codes, its examples are problems with them. */
  #failures(operation: Operation): Json {
    const byStatus = new Map<number, ErrorCode[]>();
    for (const code of errorCodes) {
      if (!operation.errors.includes(code) || (this.#options.access !== "jwt" && ofTokens.has(code))) continue;
      const { status } = errorKinds[code];
      byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
    }
    return Object.fromEntries(
      [...byStatus].map(([status, codes]) => [
        status,
        {
          description: codes.map((code) => `\`${code}\``).join(", "),
          headers: {
            "x-request-id": { $ref: "#/components/headers/RequestId" },
            ...(codes.some((code) => mayRetryAfter(code))
              ? { "retry-after": { $ref: "#/components/headers/RetryAfter" } }
              : {}),
          },
          content: {
            [mediaTypes.problem]: {
              schema: { $ref: "#/components/schemas/Problem" },
              examples: Object.fromEntries(codes.map((code) => [code, { value: problemExample(code) }])),
            },
          },
        },
      ]),
    );
  }
}

/** Where keys are asked for the host answers these, and where nothing is asked for nobody does. */
const ofTokens = new Set<ErrorCode>(["unauthenticated", "permission_denied"]);

/** One of server-sent events. */
const eventSchema = {
  type: "object",
  properties: {
    id: { type: "string", description: "Where to go on: Last-Event-ID." },
    event: { type: "string" },
    data: { type: "string", contentMediaType: mediaTypes.json },
    retry: { type: "integer", format: "int32" },
  },
};

const overAnswer = {
  description: "To a Last-Event-ID that is at the end of what was asked for: nothing more can come.",
  headers: { "x-request-id": { $ref: "#/components/headers/RequestId" } },
};

function examplesOf(schema: z.ZodType): readonly unknown[] | undefined {
  const { examples } = schema.meta() ?? {};
  if (Array.isArray(examples)) return examples as readonly unknown[];
  return schema instanceof ZodOptional ? examplesOf(schema.unwrap() as z.ZodType) : undefined;
}

function capital(name: string): string {
  return `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
}

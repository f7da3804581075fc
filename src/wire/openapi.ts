// The OpenAPI 3.1 document, made from the definitions that requests are parsed with: it cannot say anything else.

import * as z from "zod";

import type { ErrorCode } from "../core/errors.ts";
import { errorCodes, errorKinds, mayRetryAfter, problemSchema } from "./errors.ts";
import { mediaTypes } from "./media.ts";
import type { Contents, Operation } from "./operation.ts";
import { operations } from "./operations.ts";
import { recordSchema } from "./records.ts";

type Json = Readonly<Record<string, unknown>>;

/** Made once, when it is first asked for. */
export function openApiText(): string {
  text ??= JSON.stringify(openApiDocument());
  return text;
}

let text: string | undefined;

export function openApiDocument(): Json {
  const components = new Components();
  components.schema(recordSchema, "input");
  components.schema(problemSchema, "output");
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of operations) {
    const path = (paths[operation.path] ??= {});
    path[operation.method.toLowerCase()] = describeOperation(operation, components);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "streamkit",
      version: "1.0.0",
      description:
        "Ordered event streams: a store has spaces, a space has segments, a segment has entries 1, 2, 3 ... Errors are application/problem+json with a stable `code`. `x-request-id` is in every answer.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    tags: [...new Set(operations.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: components.schemas,
      headers: {
        RequestId: { description: "The id of the request in the logs.", schema: { type: "string" } },
        RetryAfter: { description: "When to try again, seconds.", schema: { type: "integer" } },
      },
      securitySchemes: {
        key: { type: "apiKey", in: "header", name: "x-functions-key", description: "STREAMKIT_AUTH=key" },
        token: { type: "http", scheme: "bearer", bearerFormat: "JWT", description: "STREAMKIT_AUTH=jwt" },
      },
    },
  };
}

/** Schemas with an id, collected beside those that refer to them. */
class Components {
  readonly schemas: Record<string, unknown> = {};

  schema(schema: z.ZodType, io: "input" | "output"): Json {
    const { $defs, ...own } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
    delete (own as Record<string, unknown>)["$schema"];
    for (const [id, definition] of Object.entries($defs ?? {})) this.schemas[id] = rewritten(definition);
    const { id } = schema.meta() ?? {};
    if (id === undefined || "$ref" in own) return rewritten(own) as Json;
    this.schemas[id] = rewritten(own);
    return { $ref: `#/components/schemas/${id}` };
  }
}

function describeOperation(operation: Operation, components: Components): Json {
  return {
    operationId: operation.id,
    tags: [operation.tag],
    summary: operation.summary,
    description: operation.description,
    security: operation.access === "public" ? [] : [{ key: [] }, { token: [] }],
    parameters: [
      ...parametersOf(operation.params, "path", components),
      ...parametersOf(operation.query, "query", components),
      ...parametersOf(operation.headers, "header", components),
    ],
    ...(operation.body === undefined
      ? {}
      : { requestBody: { required: true, content: contentOf(operation.body, "input", components) } }),
    responses: {
      [operation.status]: answerOf(operation, "Done.", components),
      ...(operation.created === true ? { 201: answerOf(operation, "Made.", components) } : {}),
      ...failuresOf(operation),
    },
  };
}

function answerOf(operation: Operation, description: string, components: Components): Json {
  const content = contentOf(operation.answer, "output", components);
  return {
    description,
    headers: { "x-request-id": { $ref: "#/components/headers/RequestId" } },
    ...(Object.keys(content).length === 0 ? {} : { content }),
  };
}

function parametersOf(schema: z.ZodObject, place: "path" | "query" | "header", components: Components): Json[] {
  return Object.entries(schema.shape).map(([name, value]) => {
    const { description, ...type } = components.schema(value as z.ZodType, "input") as {
      readonly description?: string;
    } & Json;
    const examples = examplesOf(value as z.ZodType);
    const required = !(value as z.ZodType).safeParse(undefined).success;
    // A viewer fills an example of the parameter in: what is optional and has no default has one of its schema, to be read.
    const filledIn = examples !== undefined && (required || "default" in type);
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

function examplesOf(schema: z.ZodType): readonly unknown[] | undefined {
  const { examples } = schema.meta() ?? {};
  if (Array.isArray(examples)) return examples as readonly unknown[];
  return schema instanceof z.ZodOptional ? examplesOf(schema.unwrap() as z.ZodType) : undefined;
}

function contentOf(contents: Contents, io: "input" | "output", components: Components): Json {
  return Object.fromEntries(
    Object.entries(contents).map(([type, content]) => {
      const { description } = content;
      const schema = components.schema(content.schema, io);
      const whole =
        type === mediaTypes.ndjson
          ? { type: "string", description: description ?? "", contentMediaType: type }
          : schema;
      return [
        type,
        {
          schema: type === mediaTypes.ndjson ? { ...whole, "x-line": schema } : describe(whole, description),
          ...(content.example === undefined ? {} : { example: content.example }),
        },
      ];
    }),
  );
}

function describe(schema: Json, description: string | undefined): Json {
  return description === undefined ? schema : { ...schema, description };
}

/** One response a status; its description names the codes. */
function failuresOf(operation: Operation): Json {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of errorCodes) {
    if (!operation.errors.includes(code)) continue;
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
        content: { [mediaTypes.problem]: { schema: { $ref: "#/components/schemas/Problem" } } },
      },
    ]),
  );
}

function rewritten(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(rewritten);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [
      key,
      key === "$ref" && typeof member === "string"
        ? member.replace("#/$defs/", "#/components/schemas/")
        : rewritten(member),
    ]),
  );
}

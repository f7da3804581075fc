// The service itself.

import * as z from "zod";

import { operation } from "../operation.ts";
import { none } from "../operation-parts.ts";

const healthSchema = z.object({
  status: z.literal("ok"),
  version: z.string().meta({ description: "Of the app that answers.", examples: ["0.1.0"] }),
  storage: z.literal("ok").optional(),
  ms: z.number().int().optional().meta({ description: "How long the storage took." }),
});

export const health = operation({
  id: "health",
  method: "GET",
  path: "/health",
  access: "public",
  tag: "Service",
  summary: "Whether the service answers",
  description:
    "With `deep=true`, whether its storage takes a conditional write and a read, too, and how long they took.",
  params: none,
  query: z.strictObject({
    deep: z
      .enum(["true", "false"], { error: "true or false" })
      .optional()
      .meta({ description: "Ask the storage, too.", type: "boolean", enum: undefined }),
  }),
  headers: none,
  status: 200,
  answer: {
    "application/json": { schema: healthSchema },
  },
  errors: ["invalid_argument", "not_acceptable", "storage_unavailable", "misconfigured", "internal"],
});

export const openapi = operation({
  id: "openapi",
  method: "GET",
  path: "/openapi.json",
  access: "public",
  tag: "Service",
  summary: "This description",
  description: "OpenAPI, made from the definitions that requests are parsed with. It describes the app as it is set.",
  params: none,
  query: z.strictObject({
    media: z
      .enum(["all", "json"], { error: "all or json" })
      .default("all")
      .meta({
        title: "DescribedMedia",
        description: "json: without lines and events, for generators that make one method of each call.",
        examples: ["all"],
      }),
    version: z
      .enum(["3.1", "3.2"], { error: "3.1 or 3.2" })
      .default("3.1")
      .meta({
        title: "OpenApiVersion",
        description: "Of OpenAPI. 3.2 describes each line and each event by a schema.",
        examples: ["3.1"],
      }),
  }),
  headers: none,
  status: 200,
  answer: { "application/json": { schema: z.looseObject({ openapi: z.string() }).meta({ id: "OpenApiDocument" }) } },
  errors: ["invalid_argument", "not_acceptable", "misconfigured"],
});

// The service itself.

import * as z from "zod";

import { operation } from "../operation.ts";
import { none, readErrors } from "../operation-parts.ts";

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

const count = z.int().min(0);
const monitorRunSchema = z
  .object({
    startedAt: count.meta({ description: "Milliseconds since 1970, by the storage's clock." }),
    ms: count.meta({ description: "How long it took." }),
    complete: z.boolean().meta({ description: "false: time ran out; the next run goes on from there." }),
    logs: count.meta({ description: "Open logs that it visited." }),
    closed: count.meta({ description: "Of these: closed, because nothing is written to them." }),
    applied: count.meta({ description: "Records left behind that it applied to their segments." }),
    notified: count.meta({ description: "Records left behind that it notified of." }),
    failed: count.meta({ description: "Logs and records that it could not finish; the log says why." }),
    oldestPendingMs: count.meta({ description: "Age of the oldest record left behind; 0: there was none." }),
    due: z
      .object({
        done: count.meta({ description: "What was due and is done." }),
        again: count.meta({ description: "What had a turn and goes on later." }),
        failed: count.meta({ description: "What failed, and is tried again with growing pauses." }),
        lateMs: count.meta({ description: "How late the latest of it was." }),
        complete: z.boolean().meta({ description: "false: time ran out before all of it had its turn." }),
      })
      .meta({ id: "DueRun", description: "The schedule: jobs, and what is to happen at a time." }),
  })
  .meta({ id: "MonitorRun" });

export const monitor = operation({
  id: "monitor",
  method: "GET",
  path: "/v1/monitor",
  access: "read",
  tag: "Service",
  summary: "How the monitor's last run went",
  description:
    "The monitor finishes what writers left behind. With tokens this takes the scope `streamkit::*` or `streamkit::*::read`: it is of all stores together. A run that fails leaves what the one before told.",
  params: none,
  query: z.strictObject({}),
  headers: none,
  status: 200,
  answer: {
    "application/json": {
      schema: z.object({
        lastRun: monitorRunSchema.optional().meta({ description: "Absent: no run has ended yet." }),
      }),
    },
  },
  errors: readErrors.filter((code) => code !== "deleted"),
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

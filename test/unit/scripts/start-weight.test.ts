import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { buildFunctions } from "../../../scripts/build.ts";
import { weigh } from "../../../scripts/start-weight.ts";

const root = join(import.meta.dirname, "../../..");

test("a start loads what every instance needs; tokens, queues and the telemetry's SDK come when they are needed", async () => {
  const out = await mkdtemp(join(inject("runFolder"), "weight-"));
  const { atStart, later } = weigh(await buildFunctions(root, out, { minify: true }));
  for (const library of [
    "@azure/identity",
    "@azure/storage-queue",
    "@azure/monitor-opentelemetry-exporter",
    "@opentelemetry/sdk-metrics",
    "jose",
  ]) {
    expect([...atStart.libraries.keys()]).not.toContain(library);
    expect([...later.libraries.keys()]).toContain(library);
  }
  expect([...atStart.libraries.keys()]).toEqual(expect.arrayContaining(["streamkit", "@azure/functions", "zod"]));
  // A library that is loaded by mistake is 100 kB and more; what the app does itself may grow with what it does.
  const own = atStart.libraries.get("streamkit") ?? 0;
  expect(atStart.bytes - own).toBeLessThan(700_000);
  expect(own).toBeLessThan(700_000);
});

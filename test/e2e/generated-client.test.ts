// What generates clients from the OpenAPI document makes one that compiles, makes the calls of the README and knows the
// types of errors.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import openapiTS, { astToString } from "openapi-typescript";
import type { OpenAPI3 } from "openapi-typescript";
import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { clientFolder, expectedCalls, typescriptCalls } from "../clients/generated.ts";
import { startApp } from "./harness.ts";
import type { RunningApp } from "./harness.ts";

let app: RunningApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

test("a client of openapi-typescript and openapi-fetch", { timeout: 90_000 }, async () => {
  const document = (await (await fetch(`${app.url}/openapi.json?media=json`)).json()) as OpenAPI3;
  const folder = await clientFolder(inject("runFolder"), "openapi-fetch");
  await writeFile(join(folder, "schema.ts"), astToString(await openapiTS(document)));
  expect(await typescriptCalls(folder, "openapi-fetch", app.url)).toEqual(expectedCalls);
});

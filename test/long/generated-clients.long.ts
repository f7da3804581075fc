// Clients that heavier generators make of the OpenAPI document, in TypeScript and C#: each compiles, makes the calls of
// the README and knows the types of errors. The generators are installed here from lock files of their own. Needs the
// .NET SDK 10.

import { randomUUID } from "node:crypto";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { clientFolder, command, expectedCalls, projectRoot, typescriptCalls } from "../clients/generated.ts";
import { startApp } from "../e2e/harness.ts";
import type { RunningApp } from "../e2e/harness.ts";

const generators = join(projectRoot, ".cache/generators");
let app: RunningApp;
let document: string;
beforeAll(async () => {
  app = await startApp();
  document = await (await fetch(`${app.url}/openapi.json?media=json`)).text();
  await mkdir(generators, { recursive: true });
  await cp(join(import.meta.dirname, "generators"), generators, { recursive: true });
}, 60_000);
afterAll(() => app.stop());

const node = (script: string, ...args: string[]): readonly [string, readonly string[]] => [
  process.execPath,
  [join(generators, "node_modules", script), ...args],
];

test("in TypeScript: @hey-api/openapi-ts and orval", { timeout: 600_000 }, async () => {
  await command("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], generators);
  const heyApi = await clientFolder(inject("runFolder"), "hey-api");
  await writeFile(join(heyApi, "openapi.json"), document);
  await command(...node("@hey-api/openapi-ts/bin/run.js", "-i", "openapi.json", "-o", "client"), heyApi);
  expect(await typescriptCalls(heyApi, "hey-api", app.url)).toEqual(expectedCalls);

  const orval = await clientFolder(inject("runFolder"), "orval");
  await writeFile(join(orval, "openapi.json"), document);
  const output = { target: "./client.ts", client: "fetch", mode: "single", baseUrl: app.url };
  await writeFile(
    join(orval, "orval.config.mjs"),
    `export default ${JSON.stringify({ streamkit: { input: "./openapi.json", output } })};`,
  );
  await command(...node("orval/dist/bin/orval.mjs", "--config", "orval.config.mjs"), orval);
  expect(await typescriptCalls(orval, "orval", app.url)).toEqual(expectedCalls);
});

test("in C#: Kiota and NSwag", { timeout: 600_000 }, async () => {
  const folder = await clientFolder(inject("runFolder"), "dotnet");
  await cp(join(import.meta.dirname, "generators"), folder, { recursive: true });
  await writeFile(join(folder, "openapi.json"), document);
  await command("dotnet", ["tool", "restore"], folder);
  const named = ["-c", "StreamkitClient", "-n", "Streamkit.Kiota"];
  await command("dotnet", ["kiota", "generate", "-l", "CSharp", "-d", "openapi.json", "-o", "kiota", ...named], folder);
  const how = [
    "/JsonLibrary:SystemTextJson",
    "/GenerateNullableReferenceTypes:true",
    "/GenerateOptionalPropertiesAsNullable:true",
    // What is added to an operation later changes no call.
    "/GenerateOptionalParameters:true",
  ];
  const nswag = [
    "/input:openapi.json",
    "/output:nswag.cs",
    "/namespace:Streamkit.NSwag",
    "/className:StreamkitClient",
    ...how,
  ];
  await command("dotnet", ["nswag", "openapi2csclient", ...nswag], folder);
  await command("dotnet", ["build", "clients.csproj", "--nologo", "-o", "out"], folder);
  for (const generator of ["kiota", "nswag"]) {
    const printed = await command("dotnet", ["out/clients.dll", generator, app.url, randomUUID()], folder);
    expect(JSON.parse(printed), generator).toEqual(expectedCalls);
  }
});

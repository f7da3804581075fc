// The OpenAPI document keeps the rules of the linters that its readers use, however callers are known, with and without
// its streams.

import { createConfig, lintFromString } from "@redocly/openapi-core";
import spectral from "@stoplight/spectral-core";
import spectralRulesets from "@stoplight/spectral-rulesets";
import { Validator } from "@seriousme/openapi-schema-validator";
import { describe, expect, test } from "vitest";

import { openApiDocument } from "../../../src/wire/openapi.ts";
import type { OpenApiOptions } from "../../../src/wire/openapi.ts";

const forms: readonly OpenApiOptions[] = [
  { access: "key", media: "json", version: "3.1" },
  { access: "jwt", media: "all", version: "3.1" },
  { access: "none", media: "all", version: "3.2" },
];

describe.each(forms)("access $access, media $media, OpenAPI $version", (form) => {
  const text = JSON.stringify(openApiDocument(form));

  test("is valid", async () => {
    const result = await new Validator().validate(JSON.parse(text) as Record<string, unknown>);
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
  });

  test("keeps Redocly's recommended rules", async () => {
    expect(await redoclySays(text)).toEqual([]);
  });

  test.skipIf(form.version === "3.2")("keeps Spectral's rules, which know OpenAPI up to 3.1", async () => {
    expect(await spectralSays(text)).toEqual([]);
  });
});

test("a document with mistakes is told of by both, each by its rule", { timeout: 60_000 }, async () => {
  const wrong = JSON.parse(JSON.stringify(openApiDocument(forms[1]!))) as Editable;
  referToNothing(wrong);
  forgetParameter(wrong);
  giveTwoCallsOneName(wrong);
  spoilExample(wrong);
  const text = JSON.stringify(wrong);
  const rulesOf = (said: readonly string[]): ReadonlySet<string> => new Set(said.map((line) => line.split(":")[0]!));
  expect([...rulesOf(await spectralSays(text))]).toEqual(
    expect.arrayContaining(["invalid-ref", "operation-operationId-unique", "path-params", "oas3-valid-media-example"]),
  );
  expect([...rulesOf(await redoclySays(text))]).toEqual(
    expect.arrayContaining(["no-unresolved-refs", "operation-operationId-unique", "path-parameters-defined"]),
  );
});

interface Editable {
  readonly paths: Readonly<Record<string, Readonly<Record<string, EditableCall>>>>;
}
interface EditableCall {
  operationId: string;
  parameters: unknown[];
  readonly requestBody: { readonly content: Readonly<Record<string, { schema: unknown; example: unknown }>> };
}

function callOf({ paths }: Editable, id: string): EditableCall {
  const calls = Object.values(paths).flatMap((path) => Object.values(path));
  return calls.find(({ operationId }) => operationId === id)!;
}

function referToNothing(document: Editable): void {
  callOf(document, "produce").requestBody.content["application/json"]!.schema = {
    $ref: "#/components/schemas/Nothing",
  };
}

function giveTwoCallsOneName(document: Editable): void {
  callOf(document, "peek").operationId = "produce";
}

function forgetParameter(document: Editable): void {
  callOf(document, "peek").parameters.shift();
}

function spoilExample(document: Editable): void {
  callOf(document, "leaseAcquire").requestBody.content["application/json"]!.example = { holder: 7, ttlSeconds: 30 };
}

async function redoclySays(text: string): Promise<readonly string[]> {
  const config = await createConfig({ extends: ["recommended"] });
  const problems = await lintFromString({ source: text, absoluteRef: "openapi.json", config });
  return problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer ?? ""}`);
}

async function spectralSays(text: string): Promise<readonly string[]> {
  const linter = new spectral.Spectral();
  linter.setRuleset({ extends: [spectralRulesets.oas] } as never);
  const results = await linter.run(text);
  return results.map(({ code, message, path }) => `${code}: ${message} ${path.join("/")}`);
}

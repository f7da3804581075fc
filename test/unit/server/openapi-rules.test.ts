// The OpenAPI document keeps the rules of the linters that its readers use, however callers are known, with and without its streams.

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
    const config = await createConfig({ extends: ["recommended"] });
    const problems = await lintFromString({ source: text, absoluteRef: "openapi.json", config });
    expect(
      problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer ?? ""}`),
    ).toEqual([]);
  });

  test.skipIf(form.version === "3.2")("keeps Spectral's rules, which know OpenAPI up to 3.1", async () => {
    const linter = new spectral.Spectral();
    linter.setRuleset({ extends: [spectralRulesets.oas] } as never);
    const results = await linter.run(text);
    expect(results.map(({ code, message, path }) => `${code}: ${message} ${path.join("/")}`)).toEqual([]);
  });
});

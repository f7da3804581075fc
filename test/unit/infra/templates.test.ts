import { globSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import {
  fileName,
  items,
  literal,
  moduleFile,
  namesDeclared,
  namesUsed,
  outputsRead,
  parseTemplate,
  projectRoot,
  properties,
  readTemplate,
  syntaxErrors,
  type Template,
} from "./bicep.ts";

const templatePaths = globSync("infra/**/*.bicep", { cwd: projectRoot }).sort();
const parameterPaths = globSync("infra/*.bicepparam", { cwd: projectRoot }).sort();

let templates: ReadonlyMap<string, Template>;
beforeAll(async () => {
  const read = await Promise.all([...templatePaths, ...parameterPaths].map((path) => readTemplate(path)));
  templates = new Map(read.map((template) => [template.path, template]));
});

const template = (path: string): Template => templates.get(path)!;
const required = (from: Template): string[] =>
  from.parameters.filter(({ value }) => value === undefined).map(({ name }) => name);
const names = (declared: readonly { readonly name: string }[]): string[] => declared.map(({ name }) => name);

test("there is a main template, with a parameter file for production and one for development", () => {
  expect(templatePaths).toContain("infra/main.bicep");
  expect(parameterPaths).toEqual(["infra/main.bicepparam", "infra/main.dev.bicepparam"]);
});

describe.each([...templatePaths, ...parameterPaths])("%s", (path) => {
  test("is Bicep", () => {
    expect(syntaxErrors(template(path))).toEqual([]);
  });

  test("uses no name that it does not declare", () => {
    const declared = namesDeclared(template(path));
    expect([...namesUsed(template(path))].filter((name) => !declared.has(name))).toEqual([]);
  });
});

describe.each(templatePaths)("%s", (path) => {
  test("declares no parameter, variable or existing resource that nothing uses", () => {
    const { parameters, variables, resources } = template(path);
    const used = namesUsed(template(path));
    const existing = resources.filter((resource) => resource.existing).map(({ symbol }) => symbol);
    expect([...names(parameters), ...names(variables), ...existing].filter((name) => !used.has(name))).toEqual([]);
  });

  test("describes each parameter and output", () => {
    const { parameters, outputs } = template(path);
    const silent = [...parameters, ...outputs].filter(({ description }) => (description ?? "").length < 5);
    expect(names(silent)).toEqual([]);
  });

  test("takes no secret, reads no key, and gives none out", () => {
    const { parameters, outputs, text } = template(path);
    const secret = /secret|password|credential|connectionString|(^|[a-z])Keys?$/i;
    const suspects = names([...parameters, ...outputs]).filter((name) => secret.test(name));
    expect(suspects).toEqual([]);
    expect(text).not.toMatch(/@secure|listKeys|listAccountSas|listServiceSas|AccountKey=/);
  });

  test("passes its modules what they declare: nothing unknown, nothing required left out", async () => {
    for (const call of template(path).modules) {
      const module = await readTemplate(moduleFile(template(path), call));
      const passed = [...properties(properties(call.body).get("params")).keys()];
      expect({ call: call.symbol, unknown: passed.filter((name) => !names(module.parameters).includes(name)) }).toEqual(
        { call: call.symbol, unknown: [] },
      );
      expect({ call: call.symbol, missing: required(module).filter((name) => !passed.includes(name)) }).toEqual({
        call: call.symbol,
        missing: [],
      });
    }
  });

  test("reads only outputs that its modules have", async () => {
    for (const call of template(path).modules) {
      const module = await readTemplate(moduleFile(template(path), call));
      const unknown = [...outputsRead(template(path), call.symbol)].filter(
        (name) => !names(module.outputs).includes(name),
      );
      expect({ call: call.symbol, unknown }).toEqual({ call: call.symbol, unknown: [] });
    }
  });
});

test("each module is called by the main template", () => {
  const called = template("infra/main.bicep").modules.map((call) => moduleFile(template("infra/main.bicep"), call));
  expect(called.sort()).toEqual(templatePaths.filter((path) => path.startsWith("infra/modules/")));
});

describe.each(parameterPaths)("%s", (path) => {
  test("belongs to the main template, sets what it requires and nothing it does not know", () => {
    const main = template("infra/main.bicep");
    const set = names(template(path).variables);
    expect(template(path).text).toMatch(/^using 'main\.bicep'$/m);
    expect(set.filter((name) => !names(main.parameters).includes(name))).toEqual([]);
    expect(required(main).filter((name) => !set.includes(name))).toEqual([]);
  });
});

test("a type of resource has one API version, the same wherever it is used", () => {
  const versions = new Map<string, Set<string>>();
  for (const { what } of templatePaths.flatMap((path) => template(path).resources)) {
    const [type = "", version = ""] = what.split("@");
    // Kinds of one provider that are versioned together.
    const kind = type.replace(/^(Microsoft\.(Storage|Web))\/.*$/, "$1");
    versions.set(kind, (versions.get(kind) ?? new Set()).add(version));
  }
  expect([...versions].filter(([, found]) => found.size !== 1)).toEqual([]);
});

test("API versions are of 2024 or later; of older ones there is no later version that is not a preview", () => {
  const latest = new Set([
    "Microsoft.Authorization/locks@2020-05-01",
    "Microsoft.Authorization/roleAssignments@2022-04-01",
    "Microsoft.Insights/actionGroups@2023-01-01",
    "Microsoft.Insights/components@2020-02-02",
    "Microsoft.Insights/diagnosticSettings@2021-05-01-preview",
    "Microsoft.Insights/metricAlerts@2018-03-01",
    "Microsoft.Insights/scheduledQueryRules@2023-12-01",
  ]);
  const used = templatePaths.flatMap((path) => template(path).resources.map(({ what }) => what));
  expect(used.filter((what) => !latest.has(what) && !/@(202[4-9])-\d\d-\d\d$/.test(what))).toEqual([]);
});

test("names begin with the abbreviations of the Cloud Adoption Framework", () => {
  const abbreviations: Readonly<Record<string, string>> = {
    "identity.name": "id",
    "monitoring.workspaceName": "log",
    "monitoring.applicationInsightsName": "appi",
    "functionApp.name": "func",
    "functionApp.planName": "asp",
  };
  const main = template("infra/main.bicep");
  for (const [where, abbreviation] of Object.entries(abbreviations)) {
    const [symbol = "", parameter = ""] = where.split(".");
    const call = main.modules.find((module) => module.symbol === symbol)!;
    const given = properties(properties(call.body).get("params")).get(parameter)?.text;
    expect(given, where).toMatch(new RegExp(`^'${abbreviation}-\\$\\{suffix\\}`));
  }
  const named: Readonly<Record<string, string>> = {
    "Microsoft.Resources/resourceGroups": "rg-",
    "Microsoft.Network/virtualNetworks": "vnet-",
    "Microsoft.Network/virtualNetworks/subnets": "snet-",
    "Microsoft.Network/privateEndpoints": "pep-",
    "Microsoft.Network/natGateways": "ng-",
    "Microsoft.Network/publicIPAddresses": "pip-",
    "Microsoft.Insights/actionGroups": "ag-",
  };
  const resources = templatePaths.flatMap((path) => template(path).resources);
  for (const [type, start] of Object.entries(named)) {
    const those = resources.filter(({ what }) => what.startsWith(`${type}@`));
    expect(those.length, type).toBeGreaterThan(0);
    for (const { body } of those) expect(properties(body).get("name")?.text.slice(1)).toMatch(new RegExp(`^${start}`));
  }
  expect(main.text).toContain("take('st${");
});

test("the storage account takes TLS 1.2 or later, shows nothing to the public, and no keys unless they are asked for", () => {
  const storage = template("infra/modules/storage.bicep");
  const account = storage.resources.find(({ symbol }) => symbol === "account")!;
  const settings = properties(properties(account.body).get("properties"));
  expect(literal(settings.get("minimumTlsVersion"))).toBe("TLS1_2");
  expect(literal(settings.get("supportsHttpsTrafficOnly"))).toBe(true);
  expect(literal(settings.get("allowBlobPublicAccess"))).toBe(false);
  expect(settings.get("allowSharedKeyAccess")?.text).toBe("keysAllowed");
  const standard = template("infra/main.bicep").parameters.find(({ name }) => name === "storageKeysAllowed");
  expect(literal(standard?.value)).toBe(false);
});

test("the app runs on Flex Consumption, on the Node that the project is developed with, and answers HTTPS only", async () => {
  const app = template("infra/modules/function-app.bicep");
  const body = (symbol: string) => properties(app.resources.find((resource) => resource.symbol === symbol)!.body);
  expect(literal(body("plan").get("sku"))).toEqual({ tier: "FlexConsumption", name: "FC1" });
  const settings = properties(body("app").get("properties"));
  expect(literal(settings.get("httpsOnly"))).toBe(true);
  const runtime = properties(settings.get("functionAppConfig")).get("runtime");
  const { default: manifest } = (await import("../../../package.json", { with: { type: "json" } })) as {
    default: { devDependencies: { node: string } };
  };
  const major = /\d+/.exec(manifest.devDependencies.node)?.[0];
  expect(literal(runtime)).toEqual({ name: "node", version: major });
});

describe("the reader of templates sees", () => {
  test.each([
    ["a brace that is missing", "var a = {\n  b: 1\n"],
    ["a parameter with a default and no type", "param a = 'b'\n"],
    ["a word too many", "resource a 'b/c@2024-01-01' exists = {\n}\n"],
  ])("%s", async (_what, text) => {
    expect(syntaxErrors(await parseTemplate(text))).not.toEqual([]);
  });

  test("names that are used and not declared, in conditions, interpolations, loops and lambdas", async () => {
    const text = [
      "param given string",
      "var listed = [for one in many: { key: one, other: '${inner.property}' }]",
      "var sifted = filter(listed, each => each == given && call(last))",
      "resource a 'b/c@2024-01-01' = if (when) {\n  name: given\n}",
    ].join("\n");
    const read = await parseTemplate(text);
    const declared = namesDeclared(read);
    expect([...namesUsed(read)].filter((name) => !declared.has(name)).sort()).toEqual([
      "inner",
      "last",
      "many",
      "when",
    ]);
  });

  test("values as they are written, and the file of a module", async () => {
    const read = await parseTemplate(
      "var a = ['x', 2, true, { 'y-z': null }]\nmodule m 'n/o.bicep' = {\n}\n",
      "p/q.bicep",
    );
    expect(literal(read.variables[0]?.value)).toEqual(["x", 2, true, { "y-z": null }]);
    expect(items(read.variables[0]?.value)).toHaveLength(4);
    expect(fileName(moduleFile(read, read.modules[0]!))).toBe("o.bicep");
  });
});

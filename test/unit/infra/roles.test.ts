import { expect, test } from "vitest";
import { items, literal, properties, readTemplate } from "./bicep.ts";

/** Built-in roles and their ids, as Azure documents them: the same in every tenant. */
const builtIn: Readonly<Record<string, string>> = {
  "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
  "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
  "Storage Table Data Contributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
  "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
};

const roles = await readTemplate("infra/modules/roles.bicep");
const variable = (name: string) => roles.variables.find((one) => one.name === name)?.value;
const ids = literal(variable("roleIds")) as Readonly<Record<string, string>>;

const wordsOf = (symbol: string): string =>
  symbol.replaceAll(/[A-Z]/g, " $&").replace(/^./, (first) => first.toUpperCase());

test("each role has the id of the built-in role that it is called after, in its name and in its comment", () => {
  expect(Object.keys(ids).length).toBe(4);
  for (const [symbol, id] of Object.entries(ids)) {
    expect(builtIn[wordsOf(symbol)], symbol).toBe(id);
    expect(roles.text).toContain(`${symbol}: '${id}' // ${wordsOf(symbol)}`);
  }
});

test("no role is given by a literal id", () => {
  const literals = roles.text.match(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g) ?? [];
  expect(literals.sort()).toEqual(Object.values(ids).sort());
});

test("the app has the data of its account and nothing else of it; the operator has no blobs", () => {
  const symbols = (name: string): string[] => items(variable(name)).map((node) => node.text.replace("roleIds.", ""));
  expect(symbols("appStorageRoles")).toEqual([
    "storageBlobDataOwner",
    "storageQueueDataContributor",
    "storageTableDataContributor",
  ]);
  expect(symbols("operatorStorageRoles")).toEqual(["storageQueueDataContributor", "storageTableDataContributor"]);
});

test("assignments hold for one resource, never for the resource group or more, and are named after what they give", () => {
  const assignments = roles.resources.filter(({ what }) => what.startsWith("Microsoft.Authorization/roleAssignments@"));
  expect(assignments.map(({ symbol }) => symbol)).toEqual(["appStorage", "appTelemetry", "operatorStorage"]);
  for (const { body } of assignments) {
    const scope = properties(body).get("scope")?.text ?? "none";
    expect(["account", "applicationInsights"]).toContain(scope);
    expect(properties(body).get("name")?.text).toMatch(
      new RegExp(`^guid\\(${scope}\\.id, \\w+PrincipalId, (roleId|roleIds\\.\\w+)\\)$`),
    );
  }
});

test("the app starts after it was given its roles", async () => {
  const main = await readTemplate("infra/main.bicep");
  const app = main.modules.find(({ symbol }) => symbol === "functionApp")!;
  expect(items(properties(app.body).get("dependsOn")).map((node) => node.text)).toContain("roles");
});

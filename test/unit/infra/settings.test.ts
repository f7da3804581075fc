// What the template sets is what the app reads: the settings it would give are built from it and parsed as the app parses them.

import { globSync } from "node:fs";
import { expect, test } from "vitest";
import { parseSettings, settingsSchema } from "../../../src/settings.ts";
import {
  literal,
  projectFile,
  projectRoot,
  properties,
  readTemplate,
  type Declaration,
  type Node,
  type Template,
} from "./bicep.ts";

const main = await readTemplate("infra/main.bicep");
const app = await readTemplate("infra/modules/function-app.bicep");
const storage = await readTemplate("infra/modules/storage.bicep");

/** Stand-ins for what is known in Azure only. */
const azure: Readonly<Record<string, string>> = {
  "identity.properties.clientId": "11111111-2222-4333-8444-555555555555",
  "account.properties.primaryEndpoints.blob": "https://st.blob.core.windows.net/",
  "account.properties.primaryEndpoints.queue": "https://st.queue.core.windows.net/",
  "account.properties.primaryEndpoints.table": "https://st.table.core.windows.net/",
  "applicationInsights.properties.ConnectionString":
    "InstrumentationKey=11111111-2222-4333-8444-555555555555;IngestionEndpoint=https://in.example/",
};

function variable(template: Template, name: string): Node {
  const { value } = template.variables.find((one) => one.name === name)!;
  return value!;
}

/** The default of a parameter of the main template; `toLower` of another parameter's is all it may compute. */
function standard(name: string): string | undefined {
  const { value }: Partial<Declaration> = main.parameters.find((one) => one.name === name) ?? {};
  if (value?.type !== "string") return textOf(value);
  const lower = (_all: string, other: string): string => standard(other)?.toLowerCase() ?? "";
  return textOf(value) ?? value.text.slice(1, -1).replaceAll(/\$\{toLower\((\w+)\)\}/g, lower);
}

function textOf(node: Node | undefined): string | undefined {
  const value = literal(node);
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}

/** The settings object `name` of the template, evaluated with `given` or the main template's defaults. */
function evaluate(name: string, given: Readonly<Record<string, string>> = {}): Record<string, string> {
  const valueOf = (node: Node): string => {
    const known = textOf(node) ?? given[node.text] ?? azure[node.text] ?? standard(node.text);
    if (known !== undefined) return known;
    const inner = /^string\((\w+)\)$/.exec(node.text)?.[1];
    if (inner !== undefined) return standard(inner)!;
    const [, name, none] = /^empty\((\w+)\) \? '([^']*)' : \1$/.exec(node.text) ?? [];
    if (name !== undefined) return (given[name] ?? standard(name)!) || none!;
    if (node.type === "string") {
      return node.text.slice(1, -1).replaceAll(/\$\{([^}]+)\}/g, (_all, path: string) => azure[path]!);
    }
    throw new Error(`${node.text} cannot be evaluated here.`);
  };
  return Object.fromEntries([...properties(variable(app, name))].map(([key, value]) => [key, valueOf(value)]));
}

const required = { ...evaluate("connectionSettings"), ...evaluate("storeSettings") };

test("the settings of the template are complete: the app starts with them", () => {
  const settings = parseSettings(required);
  expect(settings.connection).toMatchObject({
    setting: "AzureWebJobsStorage",
    tableEndpoint: "https://st.table.core.windows.net",
    queueEndpoint: "https://st.queue.core.windows.net",
    credential: { kind: "identity", managed: true, clientId: azure["identity.properties.clientId"] },
  });
  expect(settings.authentication).toEqual({ kind: "key" });
});

test("left alone, the template sets nothing but the app's own defaults", () => {
  expect(parseSettings(required)).toEqual(parseSettings(evaluate("connectionSettings")));
});

test("with tokens, the template gives what the app needs to check them", () => {
  const given = {
    jwtIssuer: "https://login.example",
    jwtAudience: "api://streamkit",
    jwtJwksUrl: "https://login.example/keys",
  };
  const settings = parseSettings({ ...required, STREAMKIT_AUTH: "jwt", ...evaluate("tokenSettings", given) });
  expect(settings.authentication).toMatchObject({ kind: "jwt", issuer: given.jwtIssuer, audience: given.jwtAudience });
});

test("tokens without what it takes to check them are refused before anything is made", () => {
  const lacking = variable(main, "lacksTokenSettings").text;
  const needed = ["jwtIssuer", "jwtAudience", "jwtJwksUrl"];
  expect(lacking).toMatch(/^authentication == 'jwt' && /);
  for (const name of needed) expect(lacking).toMatch(new RegExp(`(empty|!startsWith)\\(${name}[,)]`));
  expect(properties(variable(app, "tokenSettings")).size).toBe(needed.length);
  expect(variable(main, "suffix").text).toMatch(/^lacksTokenSettings \? fail\(/);
  const group = main.resources.find(({ symbol }) => symbol === "group");
  expect(properties(group?.body).get("name")?.text).toBe("'rg-${suffix}'");
});

test("every setting of the app is in the template, or has a default, or is the storage account that is fallen back from", () => {
  const set = new Set([...Object.keys(required), ...properties(variable(app, "tokenSettings")).keys()]);
  const withoutDefault = Object.entries(settingsSchema.shape)
    .filter(([, schema]) => schema.safeParse(undefined).data === undefined)
    .map(([name]) => name);
  expect(withoutDefault.filter((name) => !set.has(name))).toEqual(["STREAMKIT_STORAGE"]);
});

test("the template sets nothing that neither the app nor the host reads", () => {
  const hosts =
    /^(AzureWebJobsStorage__(credential|clientId|blobServiceUri|queueServiceUri|tableServiceUri)|APPLICATIONINSIGHTS_(CONNECTION|AUTHENTICATION)_STRING)$/;
  const set = [...Object.keys(required), ...properties(variable(app, "tokenSettings")).keys()];
  expect(set.filter((name) => !(name in settingsSchema.shape) && !hosts.test(name))).toEqual([]);
  expect(app.text).not.toContain("FUNCTIONS_WORKER_RUNTIME"); // Refused by Flex Consumption.
});

test("all groups of settings reach the app", () => {
  const settings = app.resources.find(({ symbol }) => symbol === "settings")!;
  expect(literal(properties(settings.body).get("name"))).toBe("appsettings");
  const given = properties(settings.body).get("properties")!.text;
  expect(given).toBe(
    "union(connectionSettings, storeSettings, authentication == 'jwt' ? tokenSettings : {}, furtherSettings)",
  );
});

test("the queue for notifications is called after the tables: two deployments in one account share neither", () => {
  expect(main.text).toContain("param notificationsQueue string = '${toLower(tablePrefix)}-status'");
});

test("no queue is said by a dash: an empty setting could get lost, and the app would take its default", () => {
  expect(evaluate("storeSettings", { notificationsQueue: "" })).toMatchObject({ STREAMKIT_NOTIFICATIONS_QUEUE: "-" });
  expect(Object.entries(required).filter(([, value]) => value === "")).toEqual([]);
});

test("the template makes the queue that the app sends to, and its poison queue", () => {
  expect(standard("notificationsQueue")).toBe(parseSettings(required).notificationsQueue);
  expect(variable(storage, "queueNames").text).toBe(
    "empty(notificationsQueue) ? [] : [notificationsQueue, '${notificationsQueue}-poison']",
  );
});

test("the monitor's schedule is the setting that its function registers", () => {
  expect(standard("monitorSchedule")).toBe(parseSettings(required).monitorSchedule);
  const functions = globSync("functions/*.ts", { cwd: projectRoot }).map(projectFile);
  expect(functions.filter((text) => text.includes("schedule: settings.monitorSchedule")).length).toBe(1);
});

test("the allowed ways of access are those that the app takes outside of the emulator", () => {
  const ways = /@allowed\(\[(.*)\]\)\nparam authentication /.exec(main.text)?.[1]?.replaceAll(/['\s]/g, "").split(",");
  expect(ways).toEqual(["key", "jwt"]);
  expect(() => parseSettings({ ...required, STREAMKIT_AUTH: "none" })).toThrow(/emulator only/);
});

// What the template sets is what the app reads: the settings that it would give are parsed as the app parses them.

import { globSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseSettings, settingsSchema } from "../../../src/settings.ts";
import {
  appSettings,
  deployed,
  everyDeployment,
  ofType,
  only,
  production,
  projectFile,
  projectRoot,
} from "./deployed.ts";
import type { Deployed } from "./deployed.ts";

/** Stand-ins for what only Azure knows, by how the expression ends that asks it. */
const azure: readonly (readonly [RegExp, string])[] = [
  [/^\[reference\('.*\/userAssignedIdentities\/.*\)\.clientId\]$/, "11111111-2222-4333-8444-555555555555"],
  [/^\[reference\('.*\/storageAccounts\/.*\)\.primaryEndpoints\.blob\]$/, "https://st.blob.core.windows.net/"],
  [/^\[reference\('.*\/storageAccounts\/.*\)\.primaryEndpoints\.queue\]$/, "https://st.queue.core.windows.net/"],
  [/^\[reference\('.*\/storageAccounts\/.*\)\.primaryEndpoints\.table\]$/, "https://st.table.core.windows.net/"],
  [
    /^\[reference\('.*\/components\/.*\)\.ConnectionString\]$/,
    "InstrumentationKey=11111111-2222-4333-8444-555555555555;IngestionEndpoint=https://in.example/",
  ],
  [
    /^\[format\('ClientId=\{0\};Authorization=AAD', reference\('.*\)\.clientId\)\]$/,
    "ClientId=11111111-2222-4333-8444-555555555555;Authorization=AAD",
  ],
];

function given(from: Deployed): Readonly<Record<string, string>> {
  const known = Object.entries(appSettings(from)).map(([name, value]) => {
    if (!value.startsWith("[")) return [name, value];
    const [, standIn] = azure.find(([expression]) => expression.test(value)) ?? [];
    if (standIn === undefined) throw new Error(`${name}: only Azure knows ${value}`);
    return [name, standIn];
  });
  return Object.fromEntries(known) as Readonly<Record<string, string>>;
}

const connection = (from: Deployed) =>
  Object.fromEntries(Object.entries(given(from)).filter(([name]) => !name.startsWith("STREAMKIT_")));
const tokens = deployed("tokens");

describe.each(everyDeployment)("$name", (deployment) => {
  test("has the settings that the app starts with", () => {
    const settings = parseSettings(given(deployment));
    expect(settings.connection).toMatchObject({
      setting: "AzureWebJobsStorage",
      tableEndpoint: "https://st.table.core.windows.net",
      queueEndpoint: "https://st.queue.core.windows.net",
      credential: { kind: "identity", managed: true, clientId: "11111111-2222-4333-8444-555555555555" },
    });
  });

  test("sets nothing that neither the app nor the host reads, and nothing empty", () => {
    const hosts =
      /^(AzureWebJobsStorage__(credential|clientId|blobServiceUri|queueServiceUri|tableServiceUri)|APPLICATIONINSIGHTS_(CONNECTION|AUTHENTICATION)_STRING|AzureWebJobsDisableHomepage|AzureFunctionsJobHost__\w+|languageWorkers__node__arguments)$/;
    const names = Object.keys(given(deployment));
    expect(names.filter((name) => !(name in settingsSchema.shape) && !hosts.test(name))).toEqual([]);
    expect(names).not.toContain("FUNCTIONS_WORKER_RUNTIME"); // Refused by Flex Consumption.
    expect(Object.entries(given(deployment)).filter(([, value]) => value === "")).toEqual([]);
  });

  test("makes the queues that the app sends to, and their poison queues", () => {
    const queues = ofType(deployment, "Microsoft.Storage/storageAccounts/queueServices/queues");
    const { notificationsQueue, retriesQueue } = parseSettings(given(deployment));
    const used = [notificationsQueue, retriesQueue].filter((name) => name !== undefined);
    const wanted = [...used, ...used.map((name) => `${name}-poison`)];
    expect(queues.map(({ name }) => name.split("/").at(-1))).toEqual(wanted);
  });
});

test("left alone, the template sets nothing but the app's own defaults", () => {
  expect(parseSettings(given(production))).toEqual(parseSettings(connection(production)));
});

test("with tokens, the template gives what the app needs to check them", () => {
  expect(parseSettings(given(tokens)).authentication).toMatchObject({
    kind: "jwt",
    issuer: "https://login.example/",
    audience: "api://streamkit",
  });
  expect(Object.keys(given(production)).filter((name) => name.startsWith("STREAMKIT_JWT_"))).toEqual([]);
});

test("a setting without a parameter of its own is passed on by its name; an empty one is left to the app's default", () => {
  expect(parseSettings(given(tokens)).streamsMax).toBe(2000);
  expect(given(tokens)).not.toHaveProperty("STREAMKIT_WEBHOOK_NETWORKS");
});

test("every setting of the app is in the template, or has a default, is the storage account that is fallen back from, or turns something on", () => {
  const withoutDefault = Object.entries(settingsSchema.shape)
    .filter(([, schema]) => schema.safeParse(undefined).data === undefined)
    .map(([name]) => name);
  expect(withoutDefault.filter((name) => !(name in given(tokens)))).toEqual(["STREAMKIT_STORAGE", "STREAMKIT_STREAMS"]);
});

test("no queue is said by a dash: an empty setting could get lost, and the app would take its default", () => {
  expect(given(deployed("longest-names"))).toMatchObject({ STREAMKIT_NOTIFICATIONS_QUEUE: "-" });
});

test("the monitor's schedule is the setting that its function registers", () => {
  const functions = globSync("functions/*.ts", { cwd: projectRoot }).map(projectFile);
  expect(functions.filter((text) => text.includes("schedule: settings.monitorSchedule")).length).toBe(1);
});

test("the app's own server takes headers as long as the host lets through", () => {
  expect(given(production)).toMatchObject({ languageWorkers__node__arguments: "--max-http-header-size=49152" });
});

test.each(everyDeployment)("$name: the service answers for no origin, so that the app does", (deployment) => {
  const { siteConfig } = only(deployment, "Microsoft.Web/sites").properties as { siteConfig: { cors: unknown } };
  expect(siteConfig.cors).toEqual({ allowedOrigins: [] });
  expect(parseSettings(given(deployment)).origins).toEqual(new Set());
});

test.each(["main", "main.dev"])("origins of pages are taken from the environment that deploys: %s", (name) => {
  expect(projectFile(`infra/${name}.bicepparam`)).toContain(
    "STREAMKIT_CORS_ORIGINS: readEnvironmentVariable('STREAMKIT_CORS_ORIGINS', '')",
  );
});

test("the allowed ways of access are those that the app takes outside of the emulator", () => {
  const ways = /@allowed\(\[([^\]]*)\]\)\nparam authentication /.exec(projectFile("infra/main.bicep"))?.[1];
  expect(ways?.match(/\w+/g)).toEqual(["key", "jwt"]);
  expect(() => parseSettings({ ...given(production), STREAMKIT_AUTH: "none" })).toThrow(/emulator only/);
});

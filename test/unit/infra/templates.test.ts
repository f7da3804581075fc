// What no deployment may lack, whatever its parameters.

import { globSync } from "node:fs";
import { basename } from "node:path";
import { describe, expect, test } from "vitest";
import {
  deployed,
  development,
  everyDeployment,
  ofType,
  only,
  production,
  projectFile,
  projectRoot,
} from "./deployed.ts";

test("azd finds the parameters for production under the name it looks for, those for development beside it", () => {
  expect(globSync("infra/*.bicepparam", { cwd: projectRoot }).sort()).toEqual([
    "infra/main.bicepparam",
    "infra/main.dev.bicepparam",
  ]);
});

test("each parameter file and each variant has a snapshot, which is read here", () => {
  const files = globSync("{infra,test/infra/variants}/*.bicepparam", { cwd: projectRoot });
  const names = files.map((path) => basename(path, ".bicepparam")).sort();
  expect(everyDeployment.map(({ name }) => name).sort()).toEqual(names);
});

describe.each(everyDeployment)("$name", (deployment) => {
  test("takes no secret, reads no key, and gives none out", () => {
    expect(deployment.text).not.toMatch(/listKeys|listAccountSas|listServiceSas|AccountKey=|SharedAccessSignature/);
    expect(Object.keys(deployment.outputs).filter((name) => /secret|password|key$/i.test(name))).toEqual([]);
  });

  test("has names that Azure takes, and that begin with the abbreviations of the Cloud Adoption Framework", () => {
    const named: Readonly<Record<string, RegExp>> = {
      "Microsoft.Resources/resourceGroups": /^rg-[\w-]{1,87}$/,
      "Microsoft.ManagedIdentity/userAssignedIdentities": /^id-[\w-]{1,125}$/,
      "Microsoft.Storage/storageAccounts": /^st[a-z0-9]{1,22}$/,
      "Microsoft.OperationalInsights/workspaces": /^log-[A-Za-z0-9-]{1,58}[A-Za-z0-9]$/,
      "Microsoft.Insights/components": /^appi-[\w-]{1,255}$/,
      "Microsoft.Web/serverfarms": /^asp-[A-Za-z0-9-]{1,56}$/,
      "Microsoft.Web/sites": /^func-[A-Za-z0-9-]{1,54}[A-Za-z0-9]$/,
      "Microsoft.Insights/actionGroups": /^ag-[\w-]{1,257}$/,
      "Microsoft.Insights/scheduledQueryRules": /^alert-[\w-]{1,254}$/,
      "Microsoft.Network/virtualNetworks": /^vnet-[\w-]{1,59}$/,
      "Microsoft.Network/virtualNetworks/subnets": /^vnet-[\w-]+\/snet-[a-z]{1,75}$/,
      "Microsoft.Network/privateEndpoints": /^pep-[\w-]{1,60}$/,
      "Microsoft.Network/natGateways": /^ng-[\w-]{1,77}$/,
      "Microsoft.Network/publicIPAddresses": /^pip-[\w-]{1,76}$/,
    };
    const wrong = deployment.resources.filter(({ type, name }) => named[type]?.test(name) === false);
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  test("has a storage account that takes TLS 1.2 or later, shows nothing to the public, and takes no keys", () => {
    expect(only(deployment, "Microsoft.Storage/storageAccounts").properties).toMatchObject({
      minimumTlsVersion: "TLS1_2",
      supportsHttpsTrafficOnly: true,
      allowBlobPublicAccess: false,
      allowSharedKeyAccess: false,
    });
  });

  test("runs on Flex Consumption, on the Node that the project is developed with, and answers HTTPS only", () => {
    expect(only(deployment, "Microsoft.Web/serverfarms")["sku"]).toEqual({ tier: "FlexConsumption", name: "FC1" });
    const manifest = JSON.parse(projectFile("package.json")) as { readonly devDependencies: { readonly node: string } };
    const version = /\d+/.exec(manifest.devDependencies.node)?.[0];
    expect(only(deployment, "Microsoft.Web/sites").properties).toMatchObject({
      httpsOnly: true,
      functionAppConfig: { runtime: { name: "node", version } },
    });
  });

  test("takes no passwords for deployments", () => {
    const policies = ofType(deployment, "Microsoft.Web/sites/basicPublishingCredentialsPolicies");
    expect(policies.map(({ properties }) => properties)).toEqual([{ allow: false }, { allow: false }]);
  });

  test("has a type of resource in one API version, wherever it is used", () => {
    const kinds = deployment.resources.map(({ type, apiVersion }) => [
      // Kinds of one provider that are versioned together.
      type.replace(/^(Microsoft\.(Storage|Web))\/.*$/, "$1"),
      apiVersion,
    ]);
    const versions = Map.groupBy(kinds, ([kind]) => kind);
    expect([...versions.values()].filter((found) => new Set(found.map(([, version]) => version)).size > 1)).toEqual([]);
  });

  test("tells azd, and the command line, where it is", () => {
    expect(Object.keys(deployment.outputs)).toEqual([
      "AZURE_LOCATION",
      "AZURE_RESOURCE_GROUP",
      "AZURE_TENANT_ID",
      "FUNCTION_APP_NAME",
      "STREAMKIT_OUTBOUND_ADDRESS",
      "STREAMKIT_STORAGE__accountName",
      "STREAMKIT_URL",
    ]);
    expect(deployment.outputs["AZURE_LOCATION"]).toBe(only(deployment, "Microsoft.Web/sites")["location"]);
  });

  test("is found by azd: the resource group by its environment, the app by its service", () => {
    const group = only(deployment, "Microsoft.Resources/resourceGroups")["tags"] as Record<string, string>;
    expect(deployment.outputs["AZURE_RESOURCE_GROUP"]).toMatch(new RegExp(`-${group["azd-env-name"] ?? "none"}$`));
    expect(only(deployment, "Microsoft.Web/sites")["tags"]).toMatchObject({ ...group, "azd-service-name": "api" });
  });
});

test("names of module deployments begin with the application's and the environment's", () => {
  const main = projectFile("infra/main.bicep");
  const modules = [...main.matchAll(/^module (\w+) '[^']+' =.*\n {2}name: '(.*)'$/gm)];
  expect(modules.length).toBe(8);
  for (const [, symbol = "", name] of modules) {
    expect(name).toBe(`\${suffix}-${symbol.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
  }
  expect(main).toMatch(/^var name = '\$\{applicationName\}-\$\{environmentName\}'$/m);
});

test("zones are said of the plan, and no always-ready instances are asked for that Azure keeps by itself", () => {
  const zones = deployed("zone-redundant");
  expect(only(zones, "Microsoft.Web/serverfarms").properties).toMatchObject({ zoneRedundant: true });
  expect(only(production, "Microsoft.Web/serverfarms").properties).toMatchObject({ zoneRedundant: false });
  const scale = { functionAppConfig: { scaleAndConcurrency: { alwaysReady: [] } } };
  expect(only(zones, "Microsoft.Web/sites").properties).toMatchObject(scale);
});

test("production is locked against deletion and kept in three zones, development is neither", () => {
  expect(only(production, "Microsoft.Authorization/locks").properties).toMatchObject({ level: "CanNotDelete" });
  expect(ofType(development, "Microsoft.Authorization/locks")).toEqual([]);
  const copies = (from: typeof production) => only(from, "Microsoft.Storage/storageAccounts")["sku"];
  expect([copies(production), copies(development)]).toEqual([{ name: "Standard_ZRS" }, { name: "Standard_LRS" }]);
});

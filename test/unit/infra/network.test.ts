import { expect, test } from "vitest";
import { literal, projectFile, properties, readTemplate } from "./bicep.ts";

const main = await readTemplate("infra/main.bicep");
const network = await readTemplate("infra/modules/network.bicep");
const settingsOf = (symbol: string) =>
  properties(properties(network.resources.find((resource) => resource.symbol === symbol)?.body).get("properties"));

test("a network, and the gateway out of it, are made on request alone: they cost something where nobody needs them", () => {
  for (const name of ["privateNetwork", "natGateway"]) {
    expect(literal(main.parameters.find((parameter) => parameter.name === name)?.value), name).toBe(false);
  }
  expect(main.text).toContain("module network 'modules/network.bicep' = if (privateNetwork) {");
  for (const symbol of ["address", "gateway"]) {
    expect(network.text).toMatch(new RegExp(`^resource ${symbol} '[^']+' = if \\(natGateway\\) \\{$`, "m"));
  }
});

test("the app leaves by the gateway where there is one, and from nowhere else", () => {
  expect(settingsOf("functionSubnet").get("natGateway")?.text).toBe("natGateway ? { id: gateway.id } : null");
  expect(settingsOf("endpointSubnet").has("natGateway")).toBe(false);
  expect(literal(settingsOf("endpointSubnet").get("defaultOutboundAccess"))).toBe(false);
});

test("the runbook names what must be registered before the app can join a network", () => {
  const delegation = /serviceName: '(Microsoft\.\w+)\//.exec(network.text)?.[1] ?? "none";
  expect(projectFile("docs/operations.md")).toContain(`az provider register --namespace ${delegation} --wait`);
});

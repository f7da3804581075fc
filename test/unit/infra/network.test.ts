import { expect, test } from "vitest";
import { deployed, development, ofType, only, production, projectFile } from "./deployed.ts";

const closed = deployed("private-network");
const withoutGateway = deployed("private-network-without-gateway");
const network = /^Microsoft\.Network\//;
const subnet = (from: typeof closed, name: string) =>
  ofType(from, "Microsoft.Network/virtualNetworks/subnets").find((one) => one.name.endsWith(`/snet-${name}`));

test("a network, and the gateway out of it, are made on request alone: they cost something where nobody needs them", () => {
  const found = (from: typeof closed) => from.resources.filter(({ type }) => network.test(type)).length;
  expect([found(production), found(development)]).toEqual([0, 0]);
  const gateway = ["Microsoft.Network/natGateways", "Microsoft.Network/publicIPAddresses"];
  expect(gateway.map((type) => ofType(closed, type).length)).toEqual([1, 1]);
  expect(gateway.map((type) => ofType(withoutGateway, type).length)).toEqual([0, 0]);
});

test("in a network of its own the account is closed to the internet, and the app joins that network", () => {
  const account = "Microsoft.Storage/storageAccounts";
  const shut = { publicNetworkAccess: "Disabled", networkAcls: { defaultAction: "Deny" } };
  expect(only(closed, account).properties).toMatchObject(shut);
  expect(only(production, account).properties).toMatchObject({ publicNetworkAccess: "Enabled" });
  expect(only(closed, "Microsoft.Web/sites").properties).toMatchObject({
    virtualNetworkSubnetId: subnet(closed, "functions")?.id,
    publicNetworkAccess: "Enabled",
  });
});

test("each service of the account that the app uses has a private endpoint, with a name that resolves inside", () => {
  const services = ["blob", "queue", "table"];
  const endpoints = ofType(closed, "Microsoft.Network/privateEndpoints");
  expect(endpoints.map(({ name }) => name)).toEqual(services.map((service) => `pep-${service}-streamkit-prod`));
  const zones = ofType(closed, "Microsoft.Network/privateDnsZones").map(({ name }) => name);
  expect(zones).toEqual(
    services.map((service) => `[format('privatelink.{0}.{1}', '${service}', environment().suffixes.storage)]`),
  );
  expect(ofType(closed, "Microsoft.Network/privateDnsZones/virtualNetworkLinks").length).toBe(services.length);
  expect(ofType(closed, "Microsoft.Network/privateEndpoints/privateDnsZoneGroups").length).toBe(services.length);
});

test("endpoints of one account are made one after the other: Azure refuses a second at the same time", () => {
  // Order is nothing that a snapshot has.
  expect(projectFile("infra/modules/network.bicep")).toMatch(/^@batchSize\(1\)\nresource endpoints /m);
});

test("the app leaves by the gateway where there is one, and from nowhere else", () => {
  const gateway = only(closed, "Microsoft.Network/natGateways").id;
  expect(subnet(closed, "functions")?.properties).toMatchObject({ natGateway: { id: gateway } });
  expect(subnet(withoutGateway, "functions")?.properties).toMatchObject({ natGateway: null });
  expect(subnet(closed, "endpoints")?.properties).toMatchObject({ defaultOutboundAccess: false });
  expect(subnet(closed, "endpoints")?.properties).not.toHaveProperty("natGateway");
});

test("the runbook names what must be registered before the app can join a network", () => {
  const [delegation] = subnet(closed, "functions")?.properties?.["delegations"] as [
    { readonly properties: { readonly serviceName: string } },
  ];
  const namespace = delegation.properties.serviceName.split("/")[0] ?? "none";
  expect(projectFile("docs/operations.md")).toContain(`az provider register --namespace ${namespace} --wait`);
});

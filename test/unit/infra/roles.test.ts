import { describe, expect, test } from "vitest";
import { deployed, everyDeployment, ofType, production, projectFile } from "./deployed.ts";

/** Built-in roles and their ids, as Azure documents them: the same in every tenant. */
const builtIn: Readonly<Record<string, string>> = {
  "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
  "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
  "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
  "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
};
const appRoles = Object.values(builtIn);
const operatorRoles = ["Storage Queue Data Contributor", "Storage Table Data Contributor"];

interface Assignment {
  readonly roleDefinitionId: string;
  readonly principalId: string;
  readonly principalType: string;
}

const assignments = (from: typeof production) =>
  ofType(from, "Microsoft.Authorization/roleAssignments").map(({ id, properties }) => {
    const { roleDefinitionId, principalId, principalType } = properties as unknown as Assignment;
    const role = builtIn[roleDefinitionId.split("/").at(-1) ?? ""] ?? roleDefinitionId;
    return { id, role, principalId, principalType };
  });
const ofApp = (from: typeof production) =>
  assignments(from).filter(({ principalId }) => principalId.includes("userAssignedIdentities/id-"));
const ofOthers = (from: typeof production) =>
  assignments(from).filter(({ principalId }) => !principalId.includes("userAssignedIdentities/id-"));

describe.each(everyDeployment)("in $name", (deployment) => {
  test("the app has the data of its account and its telemetry, and nothing else", () => {
    expect(ofApp(deployment).map(({ role }) => role)).toEqual(appRoles);
    expect(ofApp(deployment).every(({ principalType }) => principalType === "ServicePrincipal")).toBe(true);
  });

  test("roles hold for one resource, never for the resource group or more", () => {
    const scope = /\/providers\/(Microsoft\.Storage\/storageAccounts|Microsoft\.Insights\/components)\/[\w-]+['/]/;
    expect(assignments(deployment).filter(({ id }) => !scope.test(id))).toEqual([]);
  });
});

test("the operators have tables and queues, no blobs; where nobody is named, nobody has anything", () => {
  const operators = ofOthers(deployed("longest-names"));
  expect(operators.map(({ role, principalType }) => ({ role, principalType }))).toEqual(
    operatorRoles.map((role) => ({ role, principalType: "Group" })),
  );
  expect(ofOthers(production)).toEqual([]);
});

test.each(["infra/main.bicepparam", "infra/main.dev.bicepparam"])(
  "by %s whoever deploys with azd may read and repair the data, unless operators are named",
  (file) => {
    const words = projectFile(file).replaceAll(/\s+/g, " ");
    expect(words).toContain(
      "param operatorPrincipalId = readEnvironmentVariable( 'STREAMKIT_OPERATOR_ID', readEnvironmentVariable('AZURE_PRINCIPAL_ID', '') )",
    );
    expect(words).toContain("empty(readEnvironmentVariable('STREAMKIT_OPERATOR_ID', '')) ? 'User' : 'Group'");
  },
);

test("the app starts after it was given its roles", () => {
  // Order is nothing that a snapshot has.
  expect(projectFile("infra/main.bicep")).toMatch(
    /^module functionApp '[^']+' = \{\n(?: {2}.*\n)*? {2}dependsOn: \[identity, storage, monitoring, roles\]$/m,
  );
});

test("the workflow's identity may give the roles that the template gives, and no others", () => {
  const given = /^given='(.*)'$/m.exec(projectFile("docs/operations.md"))?.[1]?.split(", ") ?? [];
  const wanted = everyDeployment.flatMap((deployment) =>
    ofType(deployment, "Microsoft.Authorization/roleAssignments").map(({ properties }) =>
      (properties as unknown as Assignment).roleDefinitionId.split("/").at(-1),
    ),
  );
  expect(given.sort()).toEqual([...new Set(wanted)].sort());
});

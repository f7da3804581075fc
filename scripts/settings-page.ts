// docs/settings.md: every setting with what it does, its default and what it may be, from the schema that parses them.

import * as z from "zod";
import { settingsSchema } from "../src/settings.ts";

const head = `# Settings

Settings of the function app, or variables of the environment that it runs in; for the local host, \`Values\` of local.settings.json,
over which the environment wins. They are read once, at the start. One that is wrong, or one that is missing, stops the start with a sentence that
says what to set. A setting that is empty is one that is not set, except where empty means something.

This page is made from the schema that reads them: \`npm run docs\`.
`;

const storage = `## The storage account

\`STREAMKIT_STORAGE\` says where the events are; where it is absent, \`AzureWebJobsStorage\` does, the account of the Functions host
itself. Either is a connection string, or these, which need no secret (\`…\` is the name of one of the two):

| setting | what it is |
| --- | --- |
| \`…__accountName\` | The account's name, in the public cloud. |
| \`…__tableServiceUri\`, \`…__queueServiceUri\` | Its endpoints, in other clouds or behind other names. |
| \`…__credential\` | \`managedidentity\`: nothing but a managed identity. Absent: the default chain of credentials. |
| \`…__clientId\` | Which managed identity, when it is user-assigned. |

The roles that the identity needs are _Storage Table Data Contributor_ and _Storage Queue Data Contributor_.
`;

const host = `## What the Functions host reads

| setting | value |
| --- | --- |
| \`FUNCTIONS_WORKER_RUNTIME\` | \`node\`. Set by the platform on Flex Consumption. |
| \`AzureWebJobsStorage\` | The host's own account (its leases for timers, its keys), in the same forms. |
| \`AzureFunctionsJobHost__…\` | Overrides a value of host.json. |
`;

/** What no setting can be: what its parser expects instead is what may be said of it. */
const impossible = "\u0000";

export function settingsPage(): string {
  const { properties = {} } = z.toJSONSchema(settingsSchema, { io: "input", unrepresentable: "any" });
  const rows = Object.entries(settingsSchema.shape).map(([name, schema]) => {
    const described = properties[name];
    if (typeof described !== "object" || described.description === undefined) {
      throw new Error(`${name} has no description.`);
    }
    const cells = [`\`${name}\``, described.description, expected(schema), standard(schema)];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  return [
    head,
    "| setting | what it does | expected | default |",
    "| --- | --- | --- | --- |",
    ...rows,
    "",
    storage,
    host,
  ].join("\n");
}

function expected(schema: z.ZodType): string {
  const tried = schema.safeParse(impossible);
  return tried.success ? "text" : (tried.error.issues[0]?.message ?? "text");
}

function standard(schema: z.ZodType): string {
  const absent = schema.safeParse(undefined);
  if (!absent.success) return "must be set";
  if (absent.data === undefined) return "";
  return absent.data === "" ? "empty" : `\`${absent.data as string | number}\``;
}

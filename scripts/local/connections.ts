// How a trigger's `connection` becomes a client: by the setting's name, as Functions resolves it.
// Promise: a connection string or an identity-based connection that works on Azure works here, under the same names.

import type { TokenCredential } from "@azure/identity";
import { QueueServiceClient } from "@azure/storage-queue";
import type { Environment } from "./settings.ts";

/** `connection`: what the trigger says, undefined for the default. Throws when no such setting is there. */
export async function openQueueService(connection: string | undefined, env: Environment): Promise<QueueServiceClient> {
  const name = connection === undefined || connection === "" ? "AzureWebJobsStorage" : connection;
  // The host looks for its own prefix first.
  for (const setting of name.startsWith("AzureWebJobs") ? [name] : [`AzureWebJobs${name}`, name]) {
    const connectionString = env[setting];
    if (connectionString !== undefined && connectionString !== "") {
      return QueueServiceClient.fromConnectionString(connectionString);
    }
    const account = env[`${setting}__accountName`];
    const uri = env[`${setting}__queueServiceUri`] ?? (account && `https://${account}.queue.core.windows.net`);
    if (uri !== undefined && uri !== "")
      return new QueueServiceClient(uri, await credential(env[`${setting}__clientId`]));
  }
  throw new Error(`The connection ${name} is not set: neither ${name} nor ${name}__queueServiceUri has a value.`);
}

async function credential(clientId: string | undefined): Promise<TokenCredential> {
  const { DefaultAzureCredential } = await import("@azure/identity");
  return new DefaultAzureCredential(clientId === undefined ? {} : { managedIdentityClientId: clientId });
}

// Tokens of Microsoft Entra ID for the storage account.
//
// Promise: `@azure/identity`, by far the heaviest library here, is loaded with the first token that is asked for:
// starts with a key or a SAS never pay for it.

import type { TokenCredential } from "@azure/identity";
import type { StorageCredential } from "./connection.ts";

type Identity = Extract<StorageCredential, { readonly kind: "identity" }>;

export function identityCredential(identity: Identity): TokenCredential {
  let loaded: Promise<TokenCredential> | undefined;
  return {
    getToken: async (scopes, options) => {
      loaded ??= load(identity);
      return (await loaded).getToken(scopes, options);
    },
  };
}

async function load({ clientId, managed }: Identity): Promise<TokenCredential> {
  const { DefaultAzureCredential, ManagedIdentityCredential } = await import("@azure/identity");
  if (managed)
    return clientId === undefined ? new ManagedIdentityCredential() : new ManagedIdentityCredential({ clientId });
  return clientId === undefined
    ? new DefaultAzureCredential()
    : new DefaultAzureCredential({ managedIdentityClientId: clientId });
}

// `streamkit auth status`: who one is to the app, and what one may.
//
// Promise: it only reads, and never shows a key or a token.

import { isStreamkitError } from "streamkit-client";
import type { Given, Identity } from "../given.ts";

export async function authStatus(given: Given): Promise<void> {
  const client = await given.client();
  const { version } = await client.getHealth(given.signal);
  await given.screen.fields({
    url: given.url,
    version,
    ...whoIs(given.identity),
    ...(await mayRead(given)),
  });
}

function whoIs(identity: Identity): Readonly<Record<string, unknown>> {
  switch (identity.kind) {
    case "nobody":
      return { identity: "nobody: neither key nor token is sent" };
    case "key":
      return { identity: "a key of the app" };
    case "azure":
      return { identity: "who is logged in with Azure", audience: identity.audience };
    case "token": {
      const { sub, iss, aud, exp, scp, roles, scope } = claimsOf(identity.token);
      const expiresAt = typeof exp === "number" ? exp * 1_000 : undefined;
      return {
        identity: "a token",
        subject: sub,
        issuer: iss,
        audience: aud,
        expiresAt,
        scopes: scp ?? roles ?? scope,
      };
    }
  }
}

/** A token's own claims; only the app can say whether they are true. */
function claimsOf(token: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** By trying: what the app answers is what counts. */
async function mayRead(given: Given): Promise<Readonly<Record<string, unknown>>> {
  let store;
  try {
    store = await given.store();
  } catch {
    return { reading: "not tried: no --store" };
  }
  try {
    await store.listSpaces(given.signal).byPage({ maxPageSize: 1 })[Symbol.asyncIterator]().next();
    return { store: store.storeId, reading: "allowed" };
  } catch (error) {
    if (!isStreamkitError(error, "unauthenticated", "permission_denied")) throw error;
    return { store: store.storeId, reading: `refused: ${error.message}` };
  }
}

// An issuer of bearer tokens for a test: its keys over HTTP, its settings for an app, tokens of any scope.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { exportJWK, generateKeyPair, SignJWT } from "jose";

export interface Issuer {
  /** What an app is told of it. */
  readonly settings: Readonly<Record<string, string>>;
  token(scope: string): Promise<string>;
  close(): void;
}

const issuer = "https://issuer.example/";
const audience = "streamkit";

export async function startIssuer(): Promise<Issuer> {
  const { privateKey, publicKey } = await generateKeyPair("RS256");
  const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "one", alg: "RS256" }] });
  const server = createServer((_request, response) => response.end(jwks));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    settings: {
      STREAMKIT_AUTH: "jwt",
      STREAMKIT_JWT_ISSUER: issuer,
      STREAMKIT_JWT_AUDIENCE: audience,
      STREAMKIT_JWT_JWKS_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    },
    token: (scope) =>
      new SignJWT({ scope })
        .setProtectedHeader({ alg: "RS256", kid: "one" })
        .setIssuer(issuer)
        .setAudience(audience)
        .setExpirationTime("5m")
        .sign(privateKey),
    close: () => void server.close(),
  };
}

// Access by bearer tokens: JWTs of one issuer for one audience, checked against the issuer's published keys.
//
// Promise: a token that is not wholly right is `unauthenticated`, whatever it claims; only asymmetric signatures are
// taken; new keys of the issuer are found by themselves. No token is ever logged or told.

import type { CryptoKey, JSONWebKeySet, JWTPayload, JWTVerifyGetKey } from "jose";

import type { Clock } from "../core/clock.ts";
import { StoreError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { identityOf } from "./access.ts";
import type { Access } from "./access.ts";
import { IssuerKeys } from "./issuer-keys.ts";

export interface TokenOptions {
  readonly issuer: string;
  readonly audience: string;
  readonly jwksUrl: URL;
  /** How far the issuer's clock and this one may be apart. */
  readonly clockSkewSeconds: number;
  readonly clock: Clock;
  /** By which a token has expired: all instances then agree, also one whose own clock is wrong. */
  readonly serviceClock: Pick<Clock, "now">;
  readonly logger: Logger;
}

const algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];
const keysTimeoutMs = 5_000;
/** No issuer has a hundredth of it, bytes. */
const keysBytesMax = 1024 * 1024;
/** Longer ones are not looked at, characters. */
const tokenCharactersMax = 16_384;

/** The library is loaded with the first request: deployments that use keys never load it. */
export function tokenAccess(options: TokenOptions): Access {
  let loaded: Promise<Verifier> | undefined;
  return {
    authenticate: async ({ headers }) => {
      const token = /^bearer +([^ ]+)$/i.exec(headers.get("authorization")?.trim() ?? "")?.[1];
      if (token === undefined) throw unauthenticated("expected `Authorization: Bearer <token>`");
      if (token.length > tokenCharactersMax) throw unauthenticated("the token is too long");
      loaded ??= loadVerifier(options);
      const verify = await loaded;
      const payload = await verify(token);
      return identityOf(callerOf(payload), scopesOf(payload));
    },
  };
}

type Verifier = (token: string) => Promise<JWTPayload>;

async function loadVerifier(options: TokenOptions): Promise<Verifier> {
  const { createLocalJWKSet, errors, jwtVerify } = await import("jose");
  const fetched = async (): Promise<JWTVerifyGetKey> => createLocalJWKSet(await fetchKeys(options.jwksUrl));
  const keys = new IssuerKeys(fetched, options.clock, options.logger);
  // Asked for when the token's header was found to be one that we take, and before its signature is looked at.
  const keyOf: JWTVerifyGetKey = async (header, token) => {
    const key = await keys.find(async (set) => {
      try {
        return (await set(header, token)) as CryptoKey;
      } catch (error) {
        if (error instanceof errors.JWKSNoMatchingKey) return undefined;
        throw error;
      }
    });
    if (key === undefined) throw new errors.JWKSNoMatchingKey();
    return key;
  };
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, keyOf, {
        issuer: options.issuer,
        audience: options.audience,
        algorithms,
        clockTolerance: options.clockSkewSeconds,
        currentDate: new Date(options.serviceClock.now()),
        requiredClaims: ["exp"],
      });
      return payload;
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw unauthenticated("the token has expired", error);
      if (error instanceof errors.JWTClaimValidationFailed) {
        throw unauthenticated(`the token's claim ${JSON.stringify(error.claim)} is not as expected`, error);
      }
      if (error instanceof StoreError) throw error;
      throw unauthenticated("the token is not valid", error);
    }
  };
}

/** The document at the URL, as JSON; what is in it is judged by who uses it. */
async function fetchKeys(url: URL): Promise<JSONWebKeySet> {
  const answer = await fetch(url, {
    headers: { accept: "application/json, application/jwk-set+json" },
    redirect: "error",
    signal: AbortSignal.timeout(keysTimeoutMs),
  });
  if (answer.status !== 200) throw new Error(`The issuer answered ${answer.status}.`);
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  const body: AsyncIterable<Uint8Array> | Iterable<Uint8Array> = answer.body ?? [];
  for await (const piece of body) {
    bytes += piece.byteLength;
    if (bytes > keysBytesMax) throw new Error(`The issuer's keys have more than ${keysBytesMax} bytes.`);
    pieces.push(piece);
  }
  return JSON.parse(Buffer.concat(pieces).toString()) as JSONWebKeySet;
}

/** Names the caller by the subject of its token: a new token of the same subject is the same caller. */
function callerOf(payload: JWTPayload): string {
  const names: readonly unknown[] = [payload.sub, payload["client_id"], payload["azp"], payload["appid"]];
  const name = names.find((value): value is string => typeof value === "string" && value !== "") ?? "";
  return `subject ${name.slice(0, 256)}`;
}

/** `scope` as OAuth 2 has it, `scp` and `roles` as Microsoft Entra ID does: text with spaces, or a list. */
function scopesOf(payload: JWTPayload): readonly string[] {
  return ["scope", "scp", "roles"].flatMap((claim) => {
    const value = payload[claim];
    if (typeof value === "string") return value.split(" ");
    return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
  });
}

function unauthenticated(why: string, cause?: unknown): StoreError {
  return new StoreError("unauthenticated", `Not authenticated: ${why}.`, { cause });
}

// Tells whether a webhook's message is genuine: the Standard Webhooks scheme, HMAC-SHA256 over id, time and body.

import { fromBase64 } from "./base64.ts";
import type { SegmentStatus } from "./entries.ts";
import { StreamkitError } from "./errors.ts";

/** A `Request` of the platform, or of Azure Functions: its body must not have been read. */
export interface SignedRequest {
  readonly headers: { get(name: string): string | null };
  text(): Promise<string>;
}

/** Which segments have changed: a hint to read on from your cursor. */
export interface StatusMessage {
  readonly version: number;
  readonly store: string;
  readonly space: string;
  readonly statuses: readonly SegmentStatus[];
}

export interface VerifyOptions {
  /** How old a message may be. Default 300. */
  readonly toleranceInSeconds?: number | undefined;
}

/**
 * `secret`: `whsec_...`; several while one takes the place of another. `invalid_signature` when it is not signed with
 * any of them, or is too old.
 */
export async function verifyWebhook(
  request: SignedRequest,
  secret: string | readonly string[],
  { toleranceInSeconds = 300 }: VerifyOptions = {},
): Promise<StatusMessage> {
  const id = request.headers.get("webhook-id");
  const timestamp = request.headers.get("webhook-timestamp");
  const signatures = request.headers.get("webhook-signature");
  if (id === null || timestamp === null || signatures === null) throw invalid("it has no signature");
  const age = Math.abs(Date.now() / 1_000 - Number(timestamp));
  if (!(age <= toleranceInSeconds)) throw invalid("it is too old, or from the future");
  const body = await request.text();
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${body}`);
  for (const one of typeof secret === "string" ? [secret] : secret) {
    const key = await crypto.subtle.importKey("raw", secretBytes(one), { name: "HMAC", hash: "SHA-256" }, false, [
      "verify",
    ]);
    for (const signature of signatures.split(" ")) {
      const [version, mac = ""] = signature.split(",");
      // Compared by the platform, in a time that says nothing of where they differ.
      if (version === "v1" && isBase64(mac) && (await crypto.subtle.verify("HMAC", key, fromBase64(mac), signed))) {
        return JSON.parse(body) as StatusMessage;
      }
    }
  }
  throw invalid("no signature fits");
}

function secretBytes(secret: string): Uint8Array<ArrayBuffer> {
  const text = secret.replace(/^whsec_/, "");
  if (text === "" || !isBase64(text)) {
    throw new StreamkitError("invalid_argument", "secret: expected whsec_ and base64, as the subscription told it.");
  }
  return fromBase64(text);
}

function isBase64(text: string): boolean {
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0;
}

function invalid(why: string): StreamkitError {
  return new StreamkitError("invalid_signature", `The message is not genuine: ${why}.`);
}

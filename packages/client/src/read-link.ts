// A link that lets its holder read one segment without a key: for pages in browsers. It is made without a request.

import { toBase64 } from "./base64.ts";

/** A key of the app's setting STREAMKIT_LINK_KEYS. It signs links, so it belongs to the programs that give them out. */
export interface ReadLinkKey {
  readonly name: string;
  readonly secret: string;
}

export interface ReadLinkOptions {
  readonly key: ReadLinkKey;
  /**
   * `entries`, the default: the entries of the segment, as a page, lines or server-sent events. `stream`: the segment
   * as a Durable Stream, for clients of that protocol.
   */
  readonly form?: "entries" | "stream" | undefined;
  /** How long the link is good, at most a day. Default 3,600. */
  readonly expiresInSeconds?: number | undefined;
  /** Of a stream: only this life of it, the first number of its offsets. Default: whichever there is. */
  readonly life?: number | undefined;
}

export interface ReadLinkPlace {
  readonly url: string;
  readonly store: string;
  readonly space: string;
  readonly segment: string;
}

const secondsMax = 86_400;

export async function readLink(place: ReadLinkPlace, options: ReadLinkOptions): Promise<string> {
  const { expiresInSeconds = 3_600, form = "entries", key, life } = options;
  if (!(expiresInSeconds > 0 && expiresInSeconds <= secondsMax)) {
    throw new TypeError(
      `expiresInSeconds: expected more than 0 and at most ${secondsMax}, received ${expiresInSeconds}.`,
    );
  }
  const { segment, space, store, url } = place;
  const expiresAt = Date.now() + Math.round(expiresInSeconds * 1_000);
  const utf8 = new TextEncoder();
  const body = urlSafe(utf8.encode(JSON.stringify({ store, space, segment, form, expiresAt, life })));
  const signed = `${key.name}.${body}`;
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const secret = await crypto.subtle.importKey("raw", utf8.encode(key.secret), algorithm, false, ["sign"]);
  const signature = urlSafe(new Uint8Array(await crypto.subtle.sign("HMAC", secret, utf8.encode(signed))));
  return `${url}/v1/links/${signed}.${signature}`;
}

function urlSafe(bytes: Uint8Array<ArrayBuffer>): string {
  return toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

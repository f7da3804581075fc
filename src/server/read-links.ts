// Reads by a signed link: the link says what may be read, until when, and by which key it was signed.
//
// Promise: a link opens nothing but GET and HEAD of its own segment. It is checked without the storage, and a key that
// is no longer in the settings opens nothing.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";

import { StoreError } from "../core/errors.ts";
import { formatPath } from "../wire/operation.ts";
import { consumeSegment as consumeOperation } from "../wire/operations/consume.ts";
import { parseReadLink, readLinkPath, readLinkSecondsMax } from "../wire/read-link.ts";
import type { ReadLink } from "../wire/read-link.ts";
import { streamPath } from "../wire/stream-calls.ts";
import { consumeSegment } from "./consume.ts";
import { readStream } from "./durable-read.ts";
import { refuse } from "./endpoint.ts";
import type { Endpoint } from "./endpoint.ts";
import { fallback } from "./fallback.ts";
import type { Services } from "./services.ts";

/** Another machine has made it, whose clock may be ahead by as much. */
const clockSkewMs = 300_000;

export const readByLink: Endpoint = (services, request, connection) => {
  const { body, headers, method, url } = request;
  if (method !== "GET" && method !== "HEAD") return fallback(services, request, connection);
  const { origin, pathname, search } = new URL(url);
  const text = pathname.slice(readLinkPath.indexOf("{")).replace(/\/$/, "");
  const link = checked(services, text);
  if (link instanceof StoreError) return Promise.resolve(refuse(services, request, link));
  const allowed: Services = {
    ...services,
    access: {
      authenticate: () =>
        Promise.resolve({
          // Each link has a share of its own.
          caller: `link ${createHash("sha256").update(text).digest("base64url").slice(0, 22)}`,
          allows: (store, permission) => store === link.store && permission === "read",
        }),
    },
  };
  const linked = { body, headers, method, url: `${origin}${targetOf(link, search)}` };
  const read = link.form === "stream" ? readStream : consumeSegment;
  return read(allowed, { ...linked, sentUrl: url }, connection);
};

function checked({ readLinkKeys, serviceClock }: Services, text: string): ReadLink | StoreError {
  const signed = parseReadLink(text);
  const secret = signed === undefined ? undefined : readLinkKeys.get(signed.keyName);
  if (signed === undefined || secret === undefined) return refused("It is none, or its key is not in use any more.");
  const expected = createHmac("sha256", secret).update(signed.signed).digest();
  if (!timingSafeEqual(expected, signed.signature)) return refused("It is not signed by its key.");
  const left = signed.link.expiresAt - serviceClock.now();
  if (left <= 0) return refused("It has expired.");
  if (left > readLinkSecondsMax * 1_000 + clockSkewMs) return refused("It is good for longer than a day.");
  return signed.link;
}

function refused(why: string): StoreError {
  return new StoreError("permission_denied", `This link cannot be read by. ${why} Ask for a new link.`, {
    details: { permission: "read" },
  });
}

function targetOf({ form, life, segment: name, space, store }: ReadLink, search: string): string {
  if (form === "entries") return `${formatPath(consumeOperation.path, { store, space, segment: name })}${search}`;
  const path = formatPath(streamPath, { store, space, "*path": name });
  if (life === undefined) return `${path}${search}`;
  return `${path}${search === "" ? "?" : `${search}&`}life=${life}`;
}

// Media types: what a body is, and which of the forms on offer a caller wants.

import { StoreError } from "../core/errors.ts";

export const mediaTypes = {
  json: "application/json",
  ndjson: "application/x-ndjson",
  events: "text/event-stream",
  problem: "application/problem+json",
  html: "text/html",
} as const;

/** Other names of the same form. */
const aliases: ReadonlyMap<string, string> = new Map([
  ["application/jsonl", mediaTypes.ndjson],
  ["application/x-jsonlines", mediaTypes.ndjson],
  ["application/ndjson", mediaTypes.ndjson],
]);

export type MediaType = (typeof mediaTypes)[keyof typeof mediaTypes];

/**
 * The offered type that `accept` (RFC 9110, 12.5.1) prefers; the first offered one when it has no preference.
 * `not_acceptable` when it wants none of them.
 */
export function negotiate<Offered extends string>(accept: string | null, offered: readonly Offered[]): Offered {
  const first = offered[0];
  if (first === undefined) throw new StoreError("internal", "Nothing is on offer.");
  if (accept === null || accept.trim() === "") return first;
  const ranges = accept.split(",").map(parseRange);
  let best: Offered | undefined;
  let bestQuality = 0;
  for (const type of offered) {
    const quality = qualityOf(type, ranges);
    if (quality > bestQuality) {
      best = type;
      bestQuality = quality;
    }
  }
  if (best === undefined) {
    throw new StoreError("not_acceptable", `Accept: expected one of ${offered.join(", ")}.`, {
      details: { offered: [...offered] },
    });
  }
  return best;
}

/** The type that the body has, of those that are taken; `unsupported_media_type` otherwise. */
export function bodyType<Taken extends string>(contentType: string | null, taken: readonly Taken[]): Taken {
  const [essence = "", ...parameters] = (contentType ?? "").split(";").map((part) => part.trim().toLowerCase());
  const found = taken.find((type) => type === (aliases.get(essence) ?? essence));
  const charset = parameters.find((parameter) => parameter.startsWith("charset="))?.slice("charset=".length);
  if (found !== undefined && (charset === undefined || /^"?utf-?8"?$/.test(charset))) return found;
  const received = contentType === null ? "none" : JSON.stringify(contentType.slice(0, 100));
  throw new StoreError(
    "unsupported_media_type",
    `Content-Type: expected ${taken.join(" or ")} in UTF-8; received ${received}.`,
    { details: { accepted: [...taken] } },
  );
}

interface Range {
  readonly type: string;
  readonly quality: number;
}

function parseRange(text: string): Range {
  const [type = "", ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const quality = parameters.find((parameter) => parameter.startsWith("q="));
  const value = quality === undefined ? 1 : Number(quality.slice(2));
  return { type: aliases.get(type) ?? type, quality: value >= 0 && value <= 1 ? value : 0 };
}

/** The most specific range that covers the type decides, whatever the others say. */
function qualityOf(type: string, ranges: readonly Range[]): number {
  const group = `${type.slice(0, type.indexOf("/"))}/*`;
  for (const wanted of [type, group, "*/*"]) {
    const matching = ranges.filter((range) => range.type === wanted);
    if (matching.length > 0) return Math.max(...matching.map((range) => range.quality));
  }
  return 0;
}

// How payload bytes look in JSON: base64, text, or the JSON value itself, kept as it was written.
//
// Promise: what is written under an encoding is read back identical under it. Bytes that an encoding cannot show are
// shown in base64, and say so. In `json`, what is stored is the value's text byte for byte; in forms of one line, line
// breaks between its tokens are shown as spaces.

import { invalidArgument } from "../core/errors.ts";
import type { JsonSlice } from "./json-text.ts";
import { asOneLine, depthExceeded, isPlainJson, parseSlice } from "./json-text.ts";

export const encodings = ["base64", "text", "json"] as const;
export type Encoding = (typeof encodings)[number];

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** `field` names the payload in errors. */
export function decodePayload(slice: JsonSlice, encoding: Encoding, field: string): Uint8Array {
  if (encoding === "json") {
    if (!isPlainJson(slice.text)) parseFailure(slice, field);
    return Buffer.from(slice.text);
  }
  const value = parseSlice(slice, field);
  if (typeof value !== "string") throw invalidArgument(field, `a string (encoding=${encoding})`);
  if (encoding === "text") {
    if (!value.isWellFormed()) throw invalidArgument(field, "well-formed Unicode, without lone surrogates");
    return Buffer.from(value);
  }
  const bytes = Buffer.from(value, "base64");
  // Buffer takes anything and skips what it does not know: only what it would write itself is base64.
  if (bytes.toString("base64") !== value) throw invalidArgument(field, "base64 (RFC 4648, section 4, with padding)");
  return bytes;
}

/**
 * The members of an entry that show the payload: `"payload":...`, and `"encoding":"base64"` where that is not what was
 * asked for.
 */
export function payloadMembers(payload: Uint8Array, encoding: Encoding, oneLine: boolean): string {
  if (encoding !== "base64") {
    const text = decodeUtf8(payload);
    if (text !== undefined && encoding === "text") {
      const shown = JSON.stringify(text);
      return `"payload":${oneLine ? asOneLine(shown) : shown}`;
    }
    if (text !== undefined && isPlainJson(text)) {
      return `"payload":${oneLine ? asOneLine(text) : text}`;
    }
  }
  const base64 = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString("base64");
  return `"payload":"${base64}"${encoding === "base64" ? "" : ',"encoding":"base64"'}`;
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}

function parseFailure(slice: JsonSlice, field: string): never {
  parseSlice(slice, field);
  throw depthExceeded(field);
}

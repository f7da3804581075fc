// An entry as a line of JSON: its payload as JSON where that gives back the same bytes, else as text, else in base64.
//
// Promise: `payloadOf(payloadFields(bytes))` are the bytes.

import type { Entry } from "streamkit-client";

export type PayloadFields =
  { readonly payload: unknown } | { readonly payloadText: string } | { readonly payloadBase64: string };

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function payloadFields(bytes: Uint8Array): PayloadFields {
  const text = textOf(bytes);
  if (text === undefined) return { payloadBase64: Buffer.from(bytes).toString("base64") };
  try {
    const payload = JSON.parse(text) as unknown;
    if (JSON.stringify(payload) === text) return { payload };
  } catch {
    // It is text, then.
  }
  return { payloadText: text };
}

/** Undefined: there is none. */
export function payloadOf(fields: Readonly<Record<string, unknown>>): Uint8Array | undefined {
  const { payload, payloadText, payloadBase64 } = fields;
  if (payload !== undefined) return Buffer.from(JSON.stringify(payload));
  if (typeof payloadText === "string") return Buffer.from(payloadText);
  if (typeof payloadBase64 === "string") return Buffer.from(payloadBase64, "base64");
  return undefined;
}

/** For people, on one line. */
export function payloadText(bytes: Uint8Array): string {
  const text = textOf(bytes);
  return text === undefined ? `<${bytes.length} bytes>` : oneLine(text);
}

/** Shows control characters instead of sending them to the terminal. */
export function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => JSON.stringify(character).slice(1, -1));
}

export function entryLine(entry: Entry<Uint8Array>): Readonly<Record<string, unknown>> {
  const { space, segment, sequence, timestamp, offset, transaction, metadata, payload } = entry;
  return { space, segment, sequence, timestamp, offset, transaction, metadata, ...payloadFields(payload) };
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

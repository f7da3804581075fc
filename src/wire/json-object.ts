// A JSON object for a schema to judge: some members as they were written, the others parsed.

import { invalidArgument } from "../core/errors.ts";
import { parseSlice, splitObject } from "./json-text.ts";
import type { JsonSlice } from "./json-text.ts";

/** The object with the named members left as they were written and the others parsed. */
export function readObject(text: string, field: string, asWritten: readonly string[]): Record<string, unknown> {
  const object = Object.create(null) as Record<string, unknown>;
  for (const [key, raw] of splitObject(text, field)) {
    object[key] = asWritten.includes(key) ? raw : parseSlice(exactNumber(raw, `${field}.${key}`), field);
  }
  return object;
}

/** Refuses what would only be a safe integer after rounding. */
function exactNumber(raw: JsonSlice, field: string): JsonSlice {
  if (/^-?[0-9]/.test(raw.text) && !/^(0|-?[1-9][0-9]{0,15})$/.test(raw.text)) {
    throw invalidArgument(field, "an integer in digits, up to 9007199254740991", raw.text.slice(0, 100));
  }
  return raw;
}

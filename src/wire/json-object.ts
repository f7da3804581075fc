// A JSON object for a schema to judge: some members as they were written, the others parsed.

import type * as z from "zod";

import { invalidArgument } from "../core/errors.ts";
import { parseSlice, splitObject } from "./json-text.ts";
import type { JsonSlice } from "./json-text.ts";
import { fieldOf, parseWith, unknownMember } from "./parse.ts";

/**
 * What the schema makes of the object. The members of `asWritten` are slices of its text. `at` leads the names of fields in errors.
 *
 * Reading ends at the first member that has no place there: what is refused anyway is never parsed, however large it is.
 */
export function parseObject<Schema extends z.ZodObject>(
  schema: Schema,
  text: string,
  at = "",
  asWritten: readonly string[] = [],
): z.output<Schema> {
  const members = Object.create(null) as Record<string, unknown>;
  for (const [key, raw] of splitObject(text, fieldOf(at, []))) {
    const field = fieldOf(at, [key]);
    if (!Object.hasOwn(schema.shape, key)) throw unknownMember(field);
    // As good as absent: serialisers write it for a member that has no value.
    if (raw.text === "null" && isOptional(schema, key)) continue;
    members[key] = asWritten.includes(key) ? raw : parseSlice(exactNumber(raw, field), field);
  }
  return parseWith(schema, members, at);
}

function isOptional(schema: z.ZodObject, key: string): boolean {
  return (schema.shape[key] as z.ZodType).safeParse(undefined).success;
}

/** Refuses what would only be a safe integer after rounding. */
function exactNumber(raw: JsonSlice, field: string): JsonSlice {
  if (/^-?[0-9]/.test(raw.text) && !/^(0|-?[1-9][0-9]{0,15})$/.test(raw.text)) {
    throw invalidArgument(field, "an integer in digits, up to 9007199254740991", raw.text.slice(0, 100));
  }
  return raw;
}

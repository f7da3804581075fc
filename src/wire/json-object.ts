// A JSON object for a schema to judge: some members as they were written, the others parsed.

import type * as z from "zod";

import { invalidArgument } from "../core/errors.ts";
import { JsonSlice, parseSlice, splitObject } from "./json-text.ts";
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
    if (!Object.hasOwn(schema.shape, key)) throw unknownMember(field, Object.keys(schema.shape));
    // As good as absent: serialisers write it for a member that has no value.
    if (raw.text === "null" && isOptional(schema, key)) continue;
    members[key] = asWritten.includes(key)
      ? raw
      : parseSlice(exactNumber(raw, field, schema.shape[key] as z.ZodType), field);
  }
  return parseWith(schema, members, at);
}

function isOptional(schema: z.ZodObject, key: string): boolean {
  return (schema.shape[key] as z.ZodType).safeParse(undefined).success;
}

/**
 * An integer as it was meant: in digits, as a decimal without a fraction (`1.0`), or, where an integer is asked for, in a string. Refuses,
 * as it was written, what would only be an integer after rounding.
 */
function exactNumber(raw: JsonSlice, field: string, schema: z.core.$ZodType | undefined): JsonSlice {
  const inString = isInteger(schema) ? /^"(-?[0-9]{1,16})"$/.exec(raw.text)?.[1] : undefined;
  const text = inString ?? raw.text;
  if (!/^-?[0-9]/.test(text)) return raw;
  const digits = /^(0|-?[1-9][0-9]{0,15})(?:\.0{1,16})?$/.exec(text)?.[1];
  if (digits === undefined || !Number.isSafeInteger(Number(digits))) {
    throw invalidArgument(field, "an integer in digits, up to 9007199254740991", text.slice(0, 100));
  }
  return new JsonSlice(digits);
}

/** What is in the way of an integer: that it may be absent, or null. */
function isInteger(schema: z.core.$ZodType | undefined): boolean {
  const definition = schema?._zod.def as { readonly type?: string; readonly innerType?: z.core.$ZodType } | undefined;
  if (definition?.innerType !== undefined) return isInteger(definition.innerType);
  return definition?.type === "number";
}

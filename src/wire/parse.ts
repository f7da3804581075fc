// Runs a schema over what came in: a value, or a JSON object with some members kept as they were written. What does not
// fit becomes `invalid_argument`, naming the field and what was expected.

import * as z from "zod";

import { invalidArgument, StoreError } from "../core/errors.ts";
import { JsonSlice, parseSlice, splitObject } from "./json-text.ts";

/** `at` leads the name of the field in errors: `records[3]`, or nothing. */
export function parseWith<Schema extends z.ZodType>(schema: Schema, value: unknown, at = ""): z.output<Schema> {
  const parsed = schema.safeParse(value, { error: expectation, reportInput: true });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  if (issue === undefined) throw new StoreError("internal", "A schema refused without an issue.");
  if (issue.code === "unrecognized_keys") {
    throw unknownMember(fieldOf(at, [...issue.path, issue.keys[0] ?? ""]));
  }
  throw invalidArgument(fieldOf(at, issue.path), issue.message, issue.input);
}

/** `members`: the names that there are. */
export function unknownMember(field: string, members?: readonly string[]): StoreError {
  const others = members === undefined ? "" : `; the members are ${members.join(", ")}`;
  return invalidArgument(field, `nothing of that name${others}`);
}

/** Text for one of the parsers of `core`: what it expects is said of the field that the text is in. */
export function textFor<T>(parse: (text: string) => T) {
  return z.string().transform((text, context): T => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      context.addIssue({ code: "custom", message: String(error.details["expected"]), input: text });
      return z.NEVER;
    }
  });
}

/** Where a schema does not say it: zod's own messages are sentences about the input, ours are what was expected. */
function expectation(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined ? `${issue.expected}, but it is missing` : issue.expected;
    case "too_big":
      return `at most ${issue.maximum}${unitOf(issue.origin)}`;
    case "too_small":
      return `at least ${issue.minimum}${unitOf(issue.origin)}`;
    default:
      return undefined;
  }
}

function unitOf(origin: string): string {
  return origin === "string" ? " characters" : "";
}

/** `records[3].payload`; of nothing at all it is the body. */
export function fieldOf(at: string, path: readonly PropertyKey[]): string {
  let field = at;
  for (const step of path) {
    const name = String(step).slice(0, 100);
    field += typeof step === "number" ? `[${name}]` : field === "" ? name : `.${name}`;
  }
  return field === "" ? "body" : field;
}

/**
 * Checks the object against the schema. The members of `asWritten` stay slices of its text. `at` leads the names of
 * fields in errors.
 *
 * Reading ends at the first unknown member: a body that is refused anyway is never parsed, however large it is.
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
 * An integer as it was meant: in digits, as a decimal without a fraction (`1.0`), or, where an integer is asked for, in
 * a string. Refuses, as it was written, what would only be an integer after rounding.
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

/** Looks through the wrappers that let an integer be absent, or null. */
function isInteger(schema: z.core.$ZodType | undefined): boolean {
  const definition = schema?._zod.def as { readonly type?: string; readonly innerType?: z.core.$ZodType } | undefined;
  if (definition?.innerType !== undefined) return isInteger(definition.innerType);
  return definition?.type === "number";
}

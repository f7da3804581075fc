// Runs a schema over what came in; what does not fit becomes `invalid_argument`, naming the field and what was expected.

import type * as z from "zod";

import { invalidArgument, StoreError } from "../core/errors.ts";

/** `at` leads the name of the field in errors: `records[3]`, or nothing. */
export function parseWith<Schema extends z.ZodType>(schema: Schema, value: unknown, at = ""): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  if (issue === undefined) throw new StoreError("internal", "A schema refused without an issue.");
  if (issue.code === "unrecognized_keys") {
    throw unknownMember(fieldOf(at, [...issue.path, issue.keys[0] ?? ""]));
  }
  throw invalidArgument(fieldOf(at, issue.path), expectation(issue.message));
}

export function unknownMember(field: string): StoreError {
  return invalidArgument(field, "nothing of that name");
}

/** Zod's own messages are sentences about the input; ours are what was expected. */
function expectation(message: string): string {
  return message.replace(/^Invalid input: expected /, "").replace(/, received undefined$/, ", but it is missing");
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

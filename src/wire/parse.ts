// Runs a schema over what came in; what does not fit becomes `invalid_argument`, naming the field and what was expected.

import * as z from "zod";

import { invalidArgument, StoreError } from "../core/errors.ts";

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

// The small values that many calls share, each defined once: its parser, its type and its description.

import * as z from "zod";

import { parseCursor } from "../codec/cursor.ts";
import { idempotencyId } from "../codec/transaction.ts";
import type { EntryFilter } from "../core/entry-filter.ts";
import { anyEntry, parseWhere } from "../core/entry-filter.ts";
import { invalidArgument, StoreError } from "../core/errors.ts";
import {
  nameRule,
  parseJobId,
  parseSegmentName,
  parseSegmentPrefix,
  parseSpaceName,
  parseStoreId,
} from "../core/ids.ts";
import type { Cursor, SegmentPrefix } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { anyName } from "../core/segments-wanted.ts";
import { textFor } from "./parse.ts";
import { entryFields } from "./entry-form.ts";
import type { EntryField } from "./entry-form.ts";
import { encodings } from "./payload.ts";
import { wireLimits } from "./wire-limits.ts";

const uuidExample = "0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d";

export const storeIdSchema = textFor(parseStoreId).meta({
  format: "uuid",
  description: "A store; it comes into being with its first record.",
  examples: [uuidExample],
});

export const spaceNameSchema = textFor(parseSpaceName).meta({
  minLength: 1,
  description: `A space: 1 to ${limits.spaceNameBytesMax} bytes of UTF-8: ${nameRule}. Percent-encoded in a path, \`/\` as %2F or %252F.`,
  examples: ["orders"],
});

export const segmentNameSchema = textFor(parseSegmentName).meta({
  minLength: 1,
  description: `A segment: 1 to ${limits.segmentNameBytesMax} bytes of UTF-8: ${nameRule}. Percent-encoded in a path, \`/\` as %2F or %252F.`,
  examples: ["order-1"],
});

export const jobIdSchema = textFor(parseJobId).meta({
  format: "uuid",
  description: "A job: its `id`.",
  examples: [uuidExample],
});

/** Where `*` stands for any name, one inside a name is a mistake: nothing is a pattern. */
function wantedName<Name>(parse: (text: string) => Name, otherwise: string) {
  return textFor((text) => {
    if (text === anyName || !text.includes("*")) return parse(text);
    throw invalidArgument("name", `* for any, or a name without *; ${otherwise}`, text);
  });
}

const usePrefix = "names that begin alike are wanted with prefix";
export const wantedSpaceSchema = wantedName(parseSpaceName, "spaces are not wanted by patterns").meta({
  minLength: 1,
  description: "The space whose statuses are wanted. `*`: any.",
  examples: ["orders"],
});
export const wantedSegmentSchema = wantedName(parseSegmentName, usePrefix).meta({
  minLength: 1,
  description: "The segment whose statuses are wanted. `*`: any, or with `prefix` those whose names begin so.",
  examples: ["*"],
});
export const segmentPrefixSchema = wantedName(parseSegmentPrefix, "a prefix ends where any text may follow").meta({
  minLength: 1,
  description: `Only segments whose names begin so: 1 to ${limits.segmentNameBytesMax} bytes of UTF-8. Without a segment, or with \`*\`.`,
  examples: ["order-"],
});

export const idempotencyKeySchema = textFor(idempotencyId).meta({
  minLength: 1,
  maxLength: 255,
  description:
    "Makes retries safe: a UUID, which becomes the id of the (first) transaction, or up to 255 printable ASCII characters, which always stand for the same one. A repeat with the same records gets the first answer.",
  examples: ["7f0c2f1e-3a52-4a57-9c55-0d4c8a9d1b11"],
});

/** A place in a space: not looked at before it is known which space is read; see `cursorOf`. */
export const offsetSchema = z.string().meta({
  description:
    "A cursor: an entry's `offset`, or `next` of an answer. Empty: the start; end: behind what there is now.",
  examples: [""],
});

/** For who has written or read further: what the segment must have. */
export const minSchema = z
  .string()
  .transform((text) => (text === "" ? undefined : (text as Cursor)))
  .meta({
    description:
      "An `offset` of the same space, as of one's own produce with `ack=committed`: the answer has all that the space has up to there. Most times that costs nothing; where the segment is still behind, it is brought there first. One that the space has not come to is refused.",
    examples: [""],
  });

/** A cursor of this space, or `invalid_argument`. */
export function cursorOf(text: string, space: string, field = "offset"): Cursor {
  if (text !== "" && spaceOf(text) !== space) {
    throw invalidArgument(field, `a cursor of the space ${JSON.stringify(space)}`, text);
  }
  return text as Cursor;
}

function spaceOf(cursor: string): string | undefined {
  try {
    return parseCursor(cursor).space;
  } catch {
    return undefined;
  }
}

/** A name as a part of a place to go on from: of letters that no query needs to encode. */
export function encodeName(name: string): string {
  return Buffer.from(name).toString("base64url");
}

/** Undefined for what was never made here. */
export function decodeName<Name extends string>(text: string, parseName: (text: string) => Name): Name | undefined {
  const name = Buffer.from(text, "base64url").toString();
  try {
    return encodeName(name) === text ? parseName(name) : undefined;
  } catch {
    return undefined;
  }
}

export const encodingSchema = z
  .enum(encodings, { error: `one of ${encodings.join(", ")}` })
  .default("base64")
  .meta({
    title: "PayloadEncoding",
    description: "How payload bytes look in JSON. json: any JSON value, kept as it was written.",
    examples: ["json"],
  });

const fieldsExpected = `a list of ${entryFields.join(", ")}`;
export const fieldsSchema = z
  .string()
  .transform((text, context): ReadonlySet<EntryField> => {
    const names = text.split(",").map((name) => name.trim());
    const fields = entryFields.filter((field) => names.includes(field));
    if (new Set(names).size === fields.length) return new Set(fields);
    context.addIssue({ code: "custom", message: fieldsExpected, input: text });
    return z.NEVER;
  })
  .meta({
    type: "string",
    description: `Only these members of each entry, with commas between: ${entryFields.join(", ")}. The others are absent, also those that the schema requires. Absent: all.`,
    examples: ["sequence,payload"],
  });

const prefixText = "Only entries of segments whose names begin so; of several, with any of them.";
const whereText =
  "Only entries with this metadata, as `key:value`, of which the key ends at the first colon; of several, with any of the values of one key, and of each key that is named.";
const prefixesOf = z.array(textFor(parseSegmentPrefix)).max(wireLimits.filterPartsMax);
const whereOf = z
  .array(z.string())
  .max(wireLimits.filterPartsMax)
  .transform((conditions, context) => {
    try {
      return parseWhere(conditions);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      context.addIssue({ code: "custom", message: String(error.details["expected"]), input: conditions.join(", ") });
      return z.NEVER;
    }
  });
/** Each time that the parameter is there is one more. */
export const prefixSchema = prefixesOf.meta({ description: prefixText, examples: [["order-"]] });
export const whereSchema = whereOf.meta({
  type: "array",
  items: { type: "string" },
  description: whereText,
  examples: [["type:OrderPlaced"]],
});

/** The characters that both let through. */
export function filterOf({ prefix, where }: FilterMembers): EntryFilter {
  return { prefixes: prefix ?? [], where: where ?? anyEntry.where };
}

export interface FilterMembers {
  readonly prefix?: readonly SegmentPrefix[] | undefined;
  readonly where?: EntryFilter["where"] | undefined;
}

const clampText =
  "true: where what comes next was trimmed, go on from the earliest that there is, instead of being told (410 `trimmed`).";
export function queryBoolean(description: string) {
  return z
    .string()
    .transform((text, context) => {
      if (text === "true" || text === "false") return text === "true";
      context.addIssue({ code: "custom", message: "true or false", input: text });
      return z.NEVER;
    })
    .meta({ type: "boolean", description });
}

export const clampSchema = queryBoolean(clampText);
export const clampBodySchema = z.boolean().meta({ description: clampText });

export const ackSchema = z.enum(["applied", "committed"], { error: "applied or committed" }).default("applied").meta({
  description:
    "What the answer waits for. applied: every read anywhere sees the records. committed: they are durable and in their space; reads of the segment follow.",
});

/** An integer as it is written, in digits or as a decimal without a fraction (`1.0`); undefined for anything else. */
export function integerIn(text: string, min: number, max: number): number | undefined {
  const [, digits] = /^(0|-?[1-9][0-9]{0,15})(?:\.0{1,16})?$/.exec(text) ?? [];
  const value = Number(digits);
  return Number.isSafeInteger(value) && value >= min && value <= max ? value : undefined;
}

/** An integer in a query. A refusal repeats the text as it was written. */
export function queryInteger(min: number, max: number, description: string) {
  return z
    .string()
    .transform((text, context) => {
      const value = integerIn(text, min, max);
      if (value !== undefined) return value;
      context.addIssue({ code: "custom", message: `an integer from ${min} to ${max}`, input: text });
      return z.NEVER;
    })
    .meta({ type: "integer", minimum: min, maximum: max, description });
}

/** In place of a sequence or a cursor: behind all that there is now. */
export const theEnd = "end";

const fromExpected = `an integer from 0 to ${limits.sequenceMax}, or ${theEnd}`;
export const fromSchema = z
  .string()
  .transform((text, context) => {
    const from = text === theEnd ? text : integerIn(text, 0, limits.sequenceMax);
    if (from !== undefined) return from;
    context.addIssue({ code: "custom", message: fromExpected, input: text });
    return z.NEVER;
  })
  .meta({
    description: "First sequence, inclusive. 0: from the start; end: behind what there is now.",
    examples: ["1"],
  });
export const toSchema = queryInteger(0, limits.sequenceMax, "Last sequence, inclusive. 0: open.");
const afterText = "Only entries later than this timestamp, milliseconds since 1970. 0: open.";
const untilText = "Only entries up to this timestamp, inclusive, milliseconds since 1970. 0: open.";
export const afterSchema = queryInteger(0, limits.sequenceMax, afterText);
export const untilSchema = queryInteger(0, limits.sequenceMax, untilText);
export const afterBodySchema = z.int().min(0).meta({ description: afterText });
export const untilBodySchema = z.int().min(0).meta({ description: untilText });

const limitText = `At most this many entries. In a JSON page ${wireLimits.pageEntriesDefault} when 0 or absent, and never more than ${wireLimits.pageEntriesMax}; in a stream no limit when 0 or absent.`;
export const limitSchema = queryInteger(0, limits.sequenceMax, limitText);
export const limitBodySchema = z.int().min(0).meta({ description: limitText });

export const lastSchema = queryInteger(
  0,
  wireLimits.lastEntriesMax,
  "The newest so many entries, in order; a stream of events then goes on with what comes. 0: as if absent.",
);

export const waitSchema = queryInteger(
  0,
  wireLimits.waitSecondsMax,
  "JSON only: when there is nothing yet, wait up to this many seconds for something.",
);

// The body of a consume of several spaces.

import * as z from "zod";

import type { EntryFilter } from "../core/entry-filter.ts";
import { invalidArgument } from "../core/errors.ts";
import type { StoreError } from "../core/errors.ts";
import type { Cursor, SpaceName } from "../core/ids.ts";
import { parseObject, parseWith } from "./parse.ts";
import { JsonSlice, parseSlice, splitObject } from "./json-text.ts";
import {
  afterBodySchema,
  clampBodySchema,
  cursorOf,
  filterOf,
  limitBodySchema,
  prefixSchema,
  spaceNameSchema,
  theEnd,
  untilBodySchema,
  whereSchema,
} from "./names.ts";
import { wireLimits } from "./wire-limits.ts";

export const consumeBodySchema = z
  .strictObject({
    offsets: z.instanceof(JsonSlice, { error: "an object of spaces and cursors" }).meta({
      type: "object",
      additionalProperties: { type: "string" },
      minProperties: 1,
      maxProperties: wireLimits.consumeSpacesMax,
      description:
        "The spaces to read, each with the cursor to go on from; an empty one is the start, `end` is behind what there is now.",
    }),
    after: afterBodySchema.optional(),
    until: untilBodySchema.optional(),
    limit: limitBodySchema.optional(),
    clamp: clampBodySchema.optional(),
    prefix: prefixSchema.optional(),
    where: whereSchema.optional(),
  })
  .meta({ examples: [{ offsets: { orders: "", payments: "" }, limit: 100 }] });

export interface ConsumeBody {
  readonly offsets: ReadonlyMap<SpaceName, Cursor | typeof theEnd>;
  readonly after: number;
  readonly until: number;
  readonly limit: number;
  readonly clamp: boolean;
  readonly filter: EntryFilter;
}

export function parseConsumeBody(text: string): ConsumeBody {
  const body = parseObject(consumeBodySchema, text, "", ["offsets"]);
  return {
    offsets: parseOffsets(body.offsets.text),
    after: body.after ?? 0,
    until: body.until ?? 0,
    limit: body.limit ?? 0,
    clamp: body.clamp ?? false,
    filter: filterOf(body),
  };
}

/** A map of spaces and cursors as JSON. */
function parseOffsets(text: string): ConsumeBody["offsets"] {
  const offsets = new Map<SpaceName, Cursor | typeof theEnd>();
  for (const [name, raw] of splitObject(text, "offsets")) {
    if (offsets.size === wireLimits.consumeSpacesMax) throw spacesExceeded();
    const space = parseWith(spaceNameSchema, name, "offsets");
    const offset = parseSlice(raw, "offsets");
    if (typeof offset !== "string") throw invalidArgument("offsets", "a cursor, in a string, for each space", offset);
    offsets.set(space, offset === theEnd ? offset : cursorOf(offset, space, `offsets.${space}`));
  }
  if (offsets.size === 0) throw spacesExceeded();
  return offsets;
}

function spacesExceeded(): StoreError {
  return invalidArgument("offsets", `1 to ${wireLimits.consumeSpacesMax} spaces`);
}

export function offsetsText(offsets: ReadonlyMap<SpaceName, Cursor>): string {
  const pairs: string[] = [];
  for (const [space, offset] of offsets) pairs.push(`${JSON.stringify(space)}:"${offset}"`);
  return `{${pairs.join(",")}}`;
}

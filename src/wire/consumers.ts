// Consumers as callers write and read them: the rules in a body, the text of a state, of deliveries and of what is
// parked.

import type * as z from "zod";

import { invalidArgument } from "../core/errors.ts";
import type { Cursor, SpaceName } from "../core/ids.ts";
import { parseSpaceName } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { cursorOf, integerIn } from "./names.ts";
import type { fetchedSchema } from "./consumer-schemas.ts";

/** Where a consumer begins; a backend reads the same shape. */
export type FromText =
  | { readonly kind: "start" }
  | { readonly kind: "end" }
  | { readonly kind: "timestamp"; readonly timestamp: number }
  | { readonly kind: "offsets"; readonly offsets: ReadonlyMap<SpaceName, Cursor> };

export function fromOf({
  from,
  offsets,
}: {
  readonly from?: string | undefined;
  readonly offsets?: Readonly<Record<string, string>> | undefined;
}): FromText {
  if (from !== undefined && offsets !== undefined) throw invalidArgument("from", "nothing with offsets", from);
  if (offsets !== undefined) {
    const cursors = Object.entries(offsets).map(([name, offset]) => {
      const space = parseSpaceName(name);
      return [space, cursorOf(offset, space, "offsets")] as const;
    });
    return { kind: "offsets", offsets: new Map(cursors) };
  }
  if (from === undefined || from === "end") return { kind: "end" };
  if (from === "start") return { kind: "start" };
  const timestamp = integerIn(from, 0, limits.sequenceMax);
  if (timestamp === undefined)
    throw invalidArgument("from", "start, end, or a timestamp in milliseconds since 1970", from);
  return { kind: "timestamp", timestamp };
}

/** All that an answer has but its entries, which are put in as text. */
export type DeliveryHead = Omit<z.output<typeof fetchedSchema>["deliveries"][number], "entries">;

/** A delivery, of which each entry is its own text and has its key. */
export function deliveryText(
  head: DeliveryHead,
  entries: readonly { readonly text: string; readonly key: string }[],
): string {
  const texts = entries.map(({ text, key }) => `${text.slice(0, -1)},"key":"${key}"}`);
  return `${JSON.stringify(head).slice(0, -1)},"entries":[${texts.join(",")}]}`;
}

// How long the entries of a space are kept: the policy, and the row that keeps it. Pure.

import * as z from "zod";

import { corruptData } from "../core/errors.ts";
import type { SpaceName } from "../core/ids.ts";
import { hexKey } from "../codec/lexkey.ts";
import type { Properties } from "../table/port.ts";
import { checkRowFormat, decoder, formatProperty, numberIn, textIn } from "../table/row-values.ts";

/** What is past any of its bounds goes. */
export interface RetentionPolicy {
  /** Entries that are older go. */
  readonly maxAgeSeconds?: number | undefined;
  /** Of each segment the newest so many stay. */
  readonly maxEntries?: number | undefined;
}

/** What is stored of a space, or of a store for the spaces that have no policy of their own. */
export interface RetentionRow {
  /** Of a space; absent: the store's. */
  readonly policy: RetentionPolicy | undefined;
  /** The life of the row of the schedule that keeps it up: another one has ended. */
  readonly chain: string;
  /** The newest entries were counted in all segments that were written up to this timestamp. */
  readonly after: number;
  /** How long until the segments are looked at again, milliseconds; 0: nothing is known. */
  readonly restMs: number;
}

export const retentionPartition = hexKey("RET");
export const storeRetentionRow = hexKey("STORE");
export const spaceRetentionRow = (space: SpaceName): string => hexKey("SPACE", space);

const format = 1n;
// What a later version adds is not this one's to keep up.
const policySchema = z.object({
  maxAgeSeconds: z.int().min(1).optional(),
  maxEntries: z.int().min(1).optional(),
});

export function encodeRetention({ policy, chain, after, restMs }: RetentionRow): Properties {
  return {
    [formatProperty]: format,
    ...(policy === undefined ? {} : { policy: JSON.stringify(policy) }),
    ...{ chain, after: BigInt(after), rest: BigInt(restMs) },
  };
}

export const decodeRetention = decoder((row): RetentionRow => {
  checkRowFormat(row, format, "a retention");
  return {
    policy: row.properties["policy"] === undefined ? undefined : policyOf(textIn(row, "policy")),
    chain: textIn(row, "chain"),
    after: numberIn(row, "after"),
    restMs: numberIn(row, "rest"),
  };
});

function policyOf(text: string): RetentionPolicy {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw corruptData("the policy of a retention", error);
  }
  const parsed = policySchema.safeParse(value);
  if (!parsed.success) throw corruptData("the policy of a retention", parsed.error);
  return parsed.data;
}

// How long the entries of a space are kept: the policy, and the row that keeps it. Pure.

import * as z from "zod";

import { corruptData } from "../core/errors.ts";
import type { SpaceName } from "../core/ids.ts";
import { hexKey } from "../codec/lexkey.ts";
import type { Properties } from "../table/port.ts";
import { checkRowFormat, decoder, formatProperty, numberIn, textIn } from "../table/row-values.ts";

/** Removes the entries past any of its bounds. */
export interface RetentionPolicy {
  /** Entries that are older go. */
  readonly maxAgeSeconds?: number | undefined;
  /** The number of newest entries that stay in each segment. */
  readonly maxEntries?: number | undefined;
}

/** The row of a space, or of a store for the spaces that have no policy of their own. */
export interface RetentionRow {
  /** The space; absent: the policy is the store's. */
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
// This version does not keep up what a later one adds.
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

// Whether a store is there: one row a store, in the registry, in a partition of its own, since every instance asks for
// it.
//
// A store without the row is there, and nothing of it was ever deleted. `epoch` grows with each deletion and restore in
// the store: who sees another one reads anew what he believes of the store's spaces.

import type { StoreId } from "../../../core/ids.ts";
import { limits } from "../../../core/limits.ts";
import { hexKey, uuidPart } from "../../../codec/lexkey.ts";
import type { Properties } from "../../../table/port.ts";
import { decoder, numberIn, textIn } from "../../../table/row-values.ts";
import type { Ending } from "./endings.ts";
import { decodeEnding, encodeEnding } from "./endings.ts";
import { checkFormat, formatLatest } from "./format.ts";

export interface StoreRow {
  readonly epoch: number;
  /** Undefined: it is there. */
  readonly ending: Ending | undefined;
  /** What people call it; undefined: nothing. */
  readonly label: string | undefined;
}

export const newStore: StoreRow = { epoch: 0, ending: undefined, label: undefined };

export const storeRowPartition = (store: StoreId): string => hexKey("STO", uuidPart(store));
export const storeRowKey = (store: StoreId): string => hexKey(uuidPart(store));

export function encodeStoreRow({ ending, epoch, label }: StoreRow): Properties {
  return {
    ...{ v: formatLatest, ep: BigInt(epoch) },
    ...encodeEnding(ending),
    ...(label === undefined ? {} : { la: label }),
  };
}

export const decodeStoreRow = decoder((row): StoreRow => {
  checkFormat(row, "the row of a store", 2);
  return {
    epoch: numberIn(row, "ep", 0, limits.headNumberMax),
    ending: decodeEnding(row),
    label: row.properties["la"] === undefined ? undefined : textIn(row, "la"),
  };
});

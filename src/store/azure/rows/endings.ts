// That something was deleted, as the row says it that heads it: a store's in the registry, the head of a space's log.

import { corruptData, deleted } from "../../../core/errors.ts";
import type { DeletedSubject, StoreError } from "../../../core/errors.ts";
import { limits } from "../../../core/limits.ts";
import type { Properties, Row } from "../../../table/port.ts";
import { numberIn, textIn } from "../../../table/row-values.ts";

/**
 * `deleted`: hidden, and restored on request. `removing`: its rows go, and it is not restored. `removed`: they are
 * gone; a store never comes back, a space may be written again.
 */
export type EndingState = "deleted" | "removing" | "removed";

/** One deletion. The time it was asked for names it: whoever works for one touches nothing of a later one. */
export interface Ending {
  readonly state: EndingState;
  /** When it was asked for, and from when on rows may go, milliseconds by the service's clock. */
  readonly at: number;
  readonly removeAt: number;
}

/** The properties to select for reading an ending. */
export const endingProperties: readonly string[] = ["v", "end", "da", "dr"];

export function encodeEnding(ending: Ending | undefined): Properties {
  if (ending === undefined) return {};
  return { end: ending.state, da: BigInt(ending.at), dr: BigInt(ending.removeAt) };
}

export function decodeEnding(row: Row): Ending | undefined {
  if (row.properties["end"] === undefined) return undefined;
  const state = textIn(row, "end");
  if (state !== "deleted" && state !== "removing" && state !== "removed") throw corruptData("the state of a deletion");
  const at = numberIn(row, "da", 1, limits.headNumberMax);
  return { state, at, removeAt: numberIn(row, "dr", at, limits.headNumberMax) };
}

/** The part that a caller sees. */
export function endedError(subject: DeletedSubject, { removeAt, state }: Ending): StoreError {
  return deleted(subject, state === "deleted" ? removeAt : undefined);
}

/** Nothing of what it heads may be shown, or written to. */
export function isHidden(ending: Ending | undefined): ending is Ending {
  return ending !== undefined && ending.state !== "removed";
}

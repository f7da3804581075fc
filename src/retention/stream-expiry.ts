// The end of streams that end by themselves: their entries go when their time is over.
//
// Nothing but the time ends such a stream: from then on every call finds it gone, and nothing is appended to it. This
// work only removes what is left, so it may come late, and twice. It means one life: a stream that was made anew under
// the name begins behind the entries that go.

import type { SegmentName, SpaceName, StoreId } from "../core/ids.ts";
import { StoreError } from "../core/errors.ts";
import type { StreamState } from "../core/stream.ts";
import type { Due } from "../jobs/due.ts";
import type { Next, Turn, Work } from "../jobs/schedule.ts";
import type { StoreFactory } from "../store/store.ts";

export const streamExpiryWhat = "streamExpiry";

/** An append that was committed before the end may still be on its way to the segment. */
const graceMs = 60_000;
/** A deleted space may be restored: it is looked at again. */
const deletedPauseMs = 86_400_000;

/** Undefined: the stream does not end by itself. */
export function streamExpiryDue(
  store: StoreId,
  space: SpaceName,
  segment: SegmentName,
  { expiresAt, life }: Pick<StreamState, "expiresAt" | "life">,
): Due | undefined {
  if (expiresAt === undefined) return undefined;
  return { at: expiresAt + graceMs, what: streamExpiryWhat, store, space, segment, life: String(life) };
}

export function streamExpiryTurns(stores: Pick<StoreFactory, "open">): Work {
  return async (due, turn) => {
    try {
      return await expire(stores, due, turn);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== "deleted") throw error;
      const isRestorable = error.details["restorableUntil"] !== undefined;
      return isRestorable ? { kind: "again", at: turn.now() + deletedPauseMs } : { kind: "done" };
    }
  };
}

async function expire(
  stores: Pick<StoreFactory, "open">,
  { life, segment, space, store }: Due,
  turn: Turn,
): Promise<Next> {
  if (space === undefined || segment === undefined) return { kind: "done" };
  const opened = stores.open(store);
  for (;;) {
    const status = await opened.streamOf(space, segment);
    if (status === undefined) return { kind: "done" };
    const { firstSequence, lastSequence, stream } = status;
    const isMadeAnew = String(stream.life) !== life;
    if (!isMadeAnew && stream.expiresAt === undefined) return { kind: "done" };
    // Somebody has used it since.
    const endsAt = isMadeAnew ? 0 : (stream.expiresAt ?? 0) + graceMs;
    if (turn.now() < endsAt) return { kind: "again", at: endsAt };
    const before = isMadeAnew ? stream.firstSequence : lastSequence + 1;
    if (firstSequence >= before) return { kind: "done" };
    await opened.trimSegment(space, segment, before);
    if (turn.isOver()) return { kind: "again", at: turn.now() };
  }
}

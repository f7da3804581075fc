// What becomes of a produce whose places are taken: a conflict, told with who has won, unless it is a repeat that holds them itself.
//
// Promise: a repeat that is recognised at its places is told so only when all of it is there as it is asked for; it is told `none` only
// when another holds a place of it.

import { sequenceMismatch, StoreError, transactionIdMismatch } from "../../../core/errors.ts";
import type { SegmentName } from "../../../core/ids.ts";
import { asStoreError } from "../instance/failure.ts";
import type { AppendOutcome, AppendRequest, Beginning, SegmentAppend, SegmentAppended } from "./append-request.ts";
import { findHolder } from "./winner.ts";
import type { Holder, HolderDeps } from "./winner.ts";

export interface PlacesDeps extends HolderDeps {
  readonly beginningOf: (segment: SegmentName) => Beginning | undefined;
}

type Conflict = Extract<AppendOutcome, { kind: "conflict" }>;

/** Answers the places that the request holds already, or throws what it is refused for. It only reads: dying here leaves nothing behind. */
export async function ownPlaces(
  deps: PlacesDeps,
  request: AppendRequest,
  conflict: Conflict,
): Promise<readonly SegmentAppended[]> {
  const { segment, expected, received, lastSequence, begins } = conflict;
  let { winner } = conflict;
  let isGone = false;
  if (winner === undefined && received <= lastSequence) {
    const holder = await holderAt(deps, request, segment, received);
    isGone = holder?.kind === "gone";
    winner = holder?.kind === "transaction" ? holder.place.id : undefined;
  }
  const mismatch = sequenceMismatch({ segment, expected, received, lastSequence, winner });
  if (request.placed !== true) throw mismatch;
  if (isGone) throw asNotKnown(mismatch);
  if (winner !== request.id) throw mismatch;
  return Promise.all(
    request.parts.map(async (part, index) => {
      const { digest, firstSequence } = part;
      const holder =
        firstSequence === undefined ? undefined : await holderAt(deps, request, part.segment, firstSequence);
      if (holder?.kind === "gone") throw asNotKnown(mismatch);
      if (holder === undefined || !isAskedFor(holder, request, part)) throw transactionIdMismatch(request.id);
      const begin = begins[index] ?? deps.beginningOf(part.segment);
      if (begin === undefined) {
        const message = "Committed. Repeat it to learn where its segment begins.";
        throw new StoreError("overloaded", message, { effect: "committed", retryAfterMs: 1_000 });
      }
      const { firstSequence: first, firstTimestamp, stream } = begin;
      const place = { ...holder.place, digest, segments: request.parts.length };
      return { place, firstSequence: first, firstTimestamp, stream };
    }),
  );
}

/** What is redacted cannot be compared any more; its id and its place say enough. */
function isAskedFor(
  { place, content }: Extract<Holder, { kind: "transaction" }>,
  { id }: AppendRequest,
  { digest, firstSequence = 0, records }: SegmentAppend,
): boolean {
  const isPlace = place.firstSequence === firstSequence && place.lastSequence === firstSequence + records.length - 1;
  return place.id === id && isPlace && (content ?? digest) === digest;
}

async function holderAt(
  deps: HolderDeps,
  { placed }: AppendRequest,
  segment: SegmentName,
  sequence: number,
): Promise<Holder | undefined> {
  try {
    return await findHolder(deps, segment, sequence);
  } catch (error) {
    // Of a repeat that is recognised here nobody knows, until this is read.
    throw asStoreError(error, placed === true ? "unknown" : "none");
  }
}

/** Of a request that may have held the place, which was trimmed since. */
function asNotKnown({ code, details, message }: StoreError): StoreError {
  const more = "Who held the place is not known any more, since it was trimmed: it may have been this request.";
  return new StoreError(code, `${message} ${more}`, { effect: "unknown", details });
}

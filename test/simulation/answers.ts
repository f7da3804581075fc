// Judges every answer to a produce at the moment it is given (I1, I4, and what an acknowledgement promises to readers).

import { StoreError } from "../../src/core/errors.ts";
import type { ProducedChunk } from "../../src/store/store.ts";
import { isBeginning } from "./derived-watch.ts";
import { chunkId, chunkLength, sequenceAt, textOf } from "./operations.ts";
import type { Call, OperationPart } from "./operations.ts";
import type { LogTransaction, SegmentTruth, SpaceTruth, Verdict } from "./truth.ts";

/** The errors that a caller may be told when the storage misbehaves or there is too much to do. */
const expectedCodes = new Set(["overloaded", "storage_unavailable", "throttled"]);

/** A chunk was acknowledged. */
export function judgeChunk(
  call: Call,
  partIndex: number,
  chunk: number,
  told: ProducedChunk,
  space: SpaceTruth,
  verdict: Verdict,
): void {
  const { operation, ack } = call;
  const part = operation.parts[partIndex]!;
  const segment = space.segment(part.segment);
  const { status, transaction } = told;
  const who = `call ${call.number} of #${operation.number}`;
  if (transaction === undefined) {
    verdict.report("I1", `${who} was acknowledged without a transaction`);
    return;
  }
  const { firstSequence, lastSequence, id, number, duplicate } = transaction;
  const held = segment.holderOf(firstSequence);
  const right =
    held?.firstSequence === firstSequence &&
    held.lastSequence === lastSequence &&
    held.id === id &&
    held.number === number;
  if (
    held === undefined ||
    !right ||
    !isContentOf(part, call, partIndex, chunk, segment, firstSequence, lastSequence)
  ) {
    verdict.report(
      "I1",
      `${who} was told it is ${part.segment} ${firstSequence} to ${lastSequence}, where the log has something else`,
    );
    return;
  }
  const tells =
    status.segment === part.segment &&
    isBeginning(segment, status) &&
    status.lastSequence === lastSequence &&
    status.lastTimestamp === held.timestamp;
  verdict.check(tells, "I1", () => `${who} was told the status ${JSON.stringify(status)}`);
  verdict.check(
    duplicate || !held.claimed,
    "I4",
    () => `${who} is the second to be told that it committed this for the first time`,
  );
  if (!duplicate) held.claimed = true;
  if (ack === "committed") return;
  verdict.check(
    segment.applied >= lastSequence,
    "I5",
    () => `${who} was acknowledged as applied; ${part.segment} is at ${segment.applied}`,
  );
  verdict.check(segment.listed && space.listed, "I5", () => `${who} was acknowledged as applied; a name is not listed`);
  segment.acknowledged = true;
  space.acknowledged = true;
}

/** A produce ended with an error: whether the effect it tells is true, and the reason for a refusal. */
export function judgeError(
  call: Call,
  error: unknown,
  space: SpaceTruth,
  { granted, verdict }: { readonly granted: ReadonlyMap<string, number>; readonly verdict: Verdict },
): StoreError | undefined {
  const who = `call ${call.number} of #${call.operation.number}`;
  if (!(error instanceof StoreError)) {
    verdict.report("I7", `${who} ended with ${String(error)} ${error instanceof Error ? (error.stack ?? "") : ""}`);
    return undefined;
  }
  switch (error.code) {
    case "sequence_mismatch":
      verdict.check(
        isTrueConflict(call, error, space),
        "I4",
        () => `${who} was refused for a reason that was never true: ${error.message}`,
      );
      break;
    case "transaction_id_mismatch":
      verdict.check(
        isTrueMismatch(call, space),
        "I4",
        () => `${who} was refused: ${error.message} It was not used for anything else.`,
      );
      break;
    case "lease_held":
      verdict.check(
        isTrulyHeld(call, error, granted),
        "I4",
        () => `${who} was refused: ${error.message} It was not so.`,
      );
      break;
    case "invalid_argument": {
      const { lease } = call.operation;
      const isInvented = lease !== undefined && lease.token > (granted.get(lease.key) ?? 0);
      verdict.check(isInvented, "I4", () => `${who} was refused: ${error.message} It was not so.`);
      break;
    }
    default:
      verdict.check(
        expectedCodes.has(error.code),
        "I7",
        () => `${who} ended with ${error.code}: ${error.message} ${String(error.cause)}`,
      );
  }
  if (error.effect === "committed") {
    const chunk = call.acknowledged;
    const there = call.operation.parts.every(
      (part, index) => committedOf(call, space.segment(part.segment), index, chunk) !== undefined,
    );
    verdict.check(there, "I1", () => `${who} was told that it is committed, but it is not`);
  }
  return error;
}

/** The transaction that a chunk of a call's operation became, if it did. */
export function committedOf(
  call: Call,
  segment: SegmentTruth,
  partIndex: number,
  chunk: number,
): LogTransaction | undefined {
  return segment.transactions.find(
    (other) => other.operation === call.operation && other.partIndex === partIndex && other.chunk === chunk,
  );
}

/** The records at these sequences are the chunk's, by content: a repeat of an id need not be of the same operation. */
function isContentOf(
  part: OperationPart,
  call: Call,
  partIndex: number,
  chunk: number,
  segment: SegmentTruth,
  firstSequence: number,
  lastSequence: number,
): boolean {
  if (lastSequence - firstSequence + 1 !== chunkLength(part, chunk)) return false;
  const start = part.chunkStarts[chunk] ?? 0;
  for (let sequence = firstSequence; sequence <= lastSequence; sequence += 1) {
    const index = start + sequence - firstSequence;
    if (segment.entries[sequence - 1]?.text !== textOf(call.operation, partIndex, index)) return false;
    const named = sequenceAt(part, index);
    if (named !== undefined && named !== sequence) return false;
  }
  return true;
}

/**
 * The segment ended there at some moment since the call (or its present chunk) began, and the winner holds the place.
 */
function isTrueConflict(call: Call, error: StoreError, space: SpaceTruth): boolean {
  const { expected, received, lastSequence, winner } = error.details;
  if (typeof expected !== "number" || typeof received !== "number" || typeof lastSequence !== "number") return false;
  if (expected === received) return false;
  return call.operation.parts.some((part) => {
    const segment = space.segment(part.segment);
    const since = call.lengths.get(part.segment) ?? 0;
    const start = part.chunkStarts[call.acknowledged] ?? 0;
    const ended =
      lastSequence === 0 || segment.transactions.some((transaction) => transaction.lastSequence === lastSequence);
    if (!ended || lastSequence < since || lastSequence > segment.length) return false;
    const index = expected - lastSequence - 1;
    if (index < 0 || index >= chunkLength(part, call.acknowledged)) return false;
    if (sequenceAt(part, start + index) !== received) return false;
    if (index > 0 && part.gapAt !== start + index) return false;
    // The holder of a trimmed place is not known any more.
    if (winner === undefined) return received > lastSequence || received < segment.first;
    return received <= lastSequence && winner === segment.holderOf(received)?.id;
  });
}

/** A newer token of the same lease was granted; only such a one can have committed. */
function isTrulyHeld({ operation }: Call, error: StoreError, granted: ReadonlyMap<string, number>): boolean {
  const { token } = error.details;
  if (operation.lease === undefined || typeof token !== "number") return false;
  const { key, token: own } = operation.lease;
  return token > own && token <= (granted.get(key) ?? 0);
}

/** The id is in one of the segments, and not as this call would have it. */
function isTrueMismatch(call: Call, space: SpaceTruth): boolean {
  const { operation } = call;
  const chunk = call.acknowledged;
  const id = chunkId(operation, chunk);
  if (id === undefined) return false;
  const found = operation.parts.map((part, index) => {
    const segment = space.segment(part.segment);
    const held = segment.byId.get(id);
    if (held === undefined) return "absent";
    const same = isContentOf(part, call, index, chunk, segment, held.firstSequence, held.lastSequence);
    return same && held.operation.parts.length === operation.parts.length ? "same" : "other";
  });
  return found.includes("other") || (found.includes("absent") && found.includes("same"));
}

// The one place that decides when a caller may be told the outcome of its produce.
//
// A verdict says what it `requires` before a caller may be told of it, and `answer` compares that with the proof at
// hand:
//
// nothing: it rests on what the log has for good; later commits cannot make it untrue.
//
// head: it is true of the version it was decided on, and only while that version is the log's. A caller is told when a
// head that was read after the decision still is that version.
//
// commit: it rests on a group-mate that this commit writes. A caller is told when the commit has succeeded.
//
// A commit under the version's ETag proves that the version was the log's until then, so it proves the head as well.
// The requests that the commit itself took are answered by `answerCommitted`, once its record is known to be in the
// log. Failures, whose effect may be unknown, are answered by the queue.

import { corruptData, leaseNotGranted, leaseSuperseded, StoreError, unreachable } from "../../../core/errors.ts";
import type { SpaceName } from "../../../core/ids.ts";
import { endedError, isHidden } from "../rows/endings.ts";
import type { AppendOutcome } from "./append-request.ts";
import type { Attempt, LogState } from "./log-state.ts";
import type { Requirement, Verdict } from "./plan.ts";
import type { AppendQueue, WaitingAppend } from "./queue.ts";

/**
 * The proof at hand when callers are to be told: none yet, that the version is the log's, or that the commit succeeded.
 */
export type Proof = "none" | "head" | "commit";

export interface Answering {
  readonly queue: Pick<AppendQueue, "fail" | "resolve">;
  readonly state: Pick<LogState, "dropView" | "view">;
}

type Verdicts = ReadonlyMap<WaitingAppend, Verdict>;

const proves: Readonly<Record<Proof, readonly Requirement[]>> = {
  none: ["nothing"],
  head: ["nothing", "head"],
  commit: ["nothing", "head", "commit"],
};

/** Answers those callers whose verdicts require no more than the proof. */
export function answer(answering: Answering, verdicts: Verdicts, proof: Proof): void {
  for (const [request, verdict] of verdicts) {
    if (!("requires" in verdict)) continue;
    if (!proves[proof].includes(verdict.requires)) continue;
    refuseOrRepeat(answering, request, verdict);
  }
}

/** The attempt's record is in the log: answers its members, each with its own parts. */
export function answerCommitted({ queue }: Pick<Answering, "queue">, { members }: Attempt): void {
  for (const [request, accepted] of members) {
    const parts = request.parts.flatMap((part) => accepted.find((one) => one.part === part)?.result ?? []);
    queue.resolve(request, { kind: "committed", duplicate: false, parts });
  }
}

/** The space was deleted: refuses all who wait. Answers whether it was. */
export function refuseEnded(
  { queue, state }: { readonly queue: Pick<AppendQueue, "failAll">; readonly state: Pick<LogState, "version"> },
  space: SpaceName,
): boolean {
  const ending = state.version?.head.ending;
  if (!isHidden(ending)) return false;
  queue.failAll(endedError({ space }, ending));
  return true;
}

/**
 * The outcome of these attempts cannot be known any more, because that part of the log was trimmed: nobody may commit
 * them again. A request with an id of its caller's waits on: the id's row tells, as for any repeat.
 */
export function answerUnknown({ queue }: Pick<Answering, "queue">, attempts: readonly Attempt[]): void {
  for (const { members } of attempts) {
    for (const request of members.keys()) {
      if (request.keyed) continue;
      const message =
        "The service cannot know any more whether this was committed: that part of the space was trimmed meanwhile.";
      queue.fail(request, new StoreError("storage_unavailable", message, { effect: "unknown" }));
    }
  }
}

/**
 * Whether a segment is ahead of what is known of the log. `log_unknown`: the log must be caught up with first.
 * `damaged`: the segment is still ahead after a catch-up that began later, so its row is damaged: only the requests
 * that need it fail.
 */
export function answerAhead(
  { queue, state }: Answering,
  verdicts: Verdicts,
  catchUps: number,
): "none" | "log_unknown" | "damaged" {
  let found: "none" | "log_unknown" | "damaged" = "none";
  for (const [request, verdict] of verdicts) {
    if (verdict.kind !== "ahead") continue;
    const { segment, timestamp } = verdict;
    if (request.ahead?.timestamp !== timestamp) request.ahead = { timestamp, catchUps };
    if (request.ahead.catchUps === catchUps) {
      found = "log_unknown";
      continue;
    }
    if (found === "none") found = "damaged";
    const error = corruptData(`segment ${segment} has a record of ${timestamp}, which its log does not have`);
    queue.fail(request, error);
    const view = state.view(segment);
    if (view !== undefined) state.dropView(segment, view);
  }
  return found;
}

function refuseOrRepeat(
  { queue, state }: Answering,
  request: WaitingAppend,
  verdict: Extract<Verdict, { requires: Requirement }>,
): void {
  if (verdict.kind === "not_granted") {
    const { key = "", token = 0 } = request.lease ?? {};
    const { lastToken } = verdict;
    const isPassed = token < lastToken;
    queue.fail(request, isPassed ? leaseSuperseded(key, lastToken, token) : leaseNotGranted(key, lastToken, token));
    return;
  }
  queue.resolve(request, outcomeOf(state, verdict));
}

function outcomeOf(
  state: Pick<LogState, "view">,
  verdict: Exclude<Extract<Verdict, { requires: Requirement }>, { kind: "not_granted" }>,
): AppendOutcome {
  switch (verdict.kind) {
    case "conflict": {
      const { part, expected, received, lastSequence } = verdict;
      const { segment } = part;
      // Beyond the end that is told, a later commit may hold the place by now.
      const winner = received <= lastSequence ? state.view(segment)?.at(received)?.id : undefined;
      return { kind: "conflict", segment, lastSequence, expected, received, winner };
    }
    case "duplicate":
      return { kind: "committed", duplicate: true, parts: verdict.parts };
    case "id_mismatch":
      return { kind: "id_mismatch" };
    case "stream":
      return { kind: "stream", answer: verdict.answer, lastSequence: verdict.lastSequence };
    case "fenced":
      return { kind: "fenced", token: verdict.token };
    default:
      return unreachable(verdict);
  }
}

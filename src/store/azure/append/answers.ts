// What the produces that wait are told of the verdicts on them; when each may be told is the appender's to know.

import { corruptData, leaseNotGranted, leaseSuperseded } from "../../../core/errors.ts";
import type { Verdict } from "./plan.ts";
import type { WaitingIntent } from "./queue.ts";
import type { SpaceParts } from "./space-parts.ts";

type Verdicts = ReadonlyMap<WaitingIntent, Verdict>;
type Parts = Pick<SpaceParts, "queue" | "state">;

/** Only when the version that they were decided on is proved to be the log's. */
export function answerConflicts({ queue, state }: Parts, verdicts: Verdicts): void {
  for (const [intent, verdict] of verdicts) {
    if (verdict.kind !== "conflict") continue;
    const { part, expected, received, lastSequence } = verdict;
    const { segment } = part;
    // Beyond the end that is told, a later commit may hold the place by now.
    const winner = received <= lastSequence ? state.view(segment)?.at(received)?.id : undefined;
    queue.settle(intent, { kind: "conflict", segment, lastSequence, expected, received, winner });
  }
}

/**
 * Repeats of what is committed, ids used for something else, tokens that have passed on. Those that are `tentative` rest on a
 * group-mate, and are told only when that one's commit has succeeded.
 */
export function answerRepeats({ queue }: Parts, verdicts: Verdicts, which: "proved" | "tentative"): void {
  const isTentative = which === "tentative";
  for (const [intent, verdict] of verdicts) {
    if (verdict.kind === "duplicate" && verdict.tentative === isTentative) {
      queue.settle(intent, { kind: "committed", duplicate: true, parts: verdict.parts });
    } else if (verdict.kind === "id_mismatch" && verdict.tentative === isTentative) {
      queue.settle(intent, { kind: "id_mismatch" });
    } else if (verdict.kind === "not_granted" && !isTentative) {
      const { key = "", token = 0 } = intent.lease ?? {};
      const { lastToken } = verdict;
      const isPassed = token < lastToken;
      queue.fail(intent, isPassed ? leaseSuperseded(key, lastToken, token) : leaseNotGranted(key, lastToken, token));
    } else if (verdict.kind === "fenced" && verdict.tentative === isTentative) {
      queue.settle(intent, { kind: "fenced", token: verdict.token });
    }
  }
}

/**
 * Whether a segment is ahead of what is known of the log. `log_unknown`: the log must be caught up with first. What is still
 * ahead after a catch-up that began later is no record of this log: `damaged`, a row that those who need it alone are told of.
 */
export function answerAhead(
  { queue, state }: Parts,
  verdicts: Verdicts,
  catchUps: number,
): "none" | "log_unknown" | "damaged" {
  let found: "none" | "log_unknown" | "damaged" = "none";
  for (const [intent, verdict] of verdicts) {
    if (verdict.kind !== "ahead") continue;
    const { segment, timestamp } = verdict;
    if (intent.ahead?.timestamp !== timestamp) intent.ahead = { timestamp, catchUps };
    if (intent.ahead.catchUps === catchUps) {
      found = "log_unknown";
      continue;
    }
    if (found === "none") found = "damaged";
    const error = corruptData(`segment ${segment} has a record of ${timestamp}, which its log does not have`);
    queue.fail(intent, error);
    const view = state.view(segment);
    if (view !== undefined) state.dropView(segment, view);
  }
  return found;
}

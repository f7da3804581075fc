// Mistakes in restoring the entries of a backup.

import type { Mutation, Patch } from "./mutation.ts";
import { azure, playedBySeeds } from "./mutation.ts";

const restoring = (name: string, mistake: string, ...patches: Patch[]): Mutation =>
  playedBySeeds("restores", name, 40, mistake, ...patches);

export const restoringMistakes: readonly Mutation[] = [
  restoring(
    "restored-before-the-last",
    "records restored without a look at the last one of the space",
    azure("append/restore", 'if (first.timestamp <= lastTimestamp) return { kind: "behind", lastTimestamp };', ""),
  ),
  restoring(
    "restored-head-first",
    "the head of the log written before the records that are restored",
    azure(
      "append/restore",
      "await writes.commitRecords(version.etag, plan.head, stored);",
      'await writes.commitRecords(version.etag, plan.head, []).then((early) => early.kind === "refused" ? early : writes.commitRecords(early.etags[0], plan.head, stored));',
    ),
  ),
  restoring(
    "restored-over-pending",
    "records restored behind segments of which not all is applied",
    azure("append/restore", 'if (hasPending(version.head.unapplied)) return "overtaken";', ""),
    azure("append/restore", "const { applier, clock, compressor, random, reader, registration, writes } = deps;\n  await deps.applyPending();", "const { applier, clock, compressor, random, reader, registration, writes } = deps;"), // prettier-ignore
  ),
  restoring(
    "restored-begin-forgotten",
    "a segment that begins at 1 whatever was restored to it first",
    azure(
      "rows/segment-rows",
      "firstSequence: beginsSegment(state, place) ? firstSequence : state.firstSequence,",
      "firstSequence: state.firstSequence,",
    ),
  ),
  restoring(
    "restored-name-not-listed",
    "a segment that is listed by its transaction 1 alone",
    azure("apply/segment-queue", "numberBefore(transaction) !== 0", "transaction.number !== 1"),
  ),
];

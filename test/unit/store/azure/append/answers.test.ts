// When a caller may be told what became of its produce: each verdict against each proof.

import { describe, expect, test } from "vitest";
import { noMetadata } from "../../../../../src/core/entry.ts";
import { parseSegmentName, parseTransactionId } from "../../../../../src/core/ids.ts";
import type { Answering, Proof } from "../../../../../src/store/azure/append/answers.ts";
import { answer } from "../../../../../src/store/azure/append/answers.ts";
import type { AppendOutcome } from "../../../../../src/store/azure/append/append-request.ts";
import type { Verdict } from "../../../../../src/store/azure/append/plan.ts";
import { WaitingAppend } from "../../../../../src/store/azure/append/queue.ts";

const segment = parseSegmentName("a");
const records = [{ payload: Buffer.from("x"), metadata: noMetadata }];
const part = { segment, records, digest: "", plainBytes: 100, contentBytes: 1, firstSequence: 6, gap: undefined };
const produce = {
  id: parseTransactionId("0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c00"),
  keyed: true,
  lease: { key: "k", token: 5 },
  parts: [part],
};
const conflict = { kind: "conflict", part, expected: 7, received: 6, lastSequence: 6 } as const;

/** How the caller is answered, or "not told". */
function toldOf(verdict: Verdict, proof: Proof): string {
  const told: string[] = [];
  const answering: Answering = {
    queue: {
      resolve: (_, outcome: AppendOutcome) => void told.push(outcome.kind),
      fail: () => void told.push("failed"),
    },
    state: { view: () => undefined, dropView: () => undefined },
  };
  answer(answering, new Map([[new WaitingAppend(produce), verdict]]), proof);
  expect(told.length).toBeLessThanOrEqual(1);
  return told[0] ?? "not told";
}

const rules: readonly [string, Verdict, Readonly<Record<Proof, string>>][] = [
  [
    "a conflict with the version",
    { ...conflict, requires: "head" },
    { none: "not told", head: "conflict", commit: "conflict" },
  ],
  [
    "a conflict with a group-mate",
    { ...conflict, requires: "commit" },
    { none: "not told", head: "not told", commit: "conflict" },
  ],
  [
    "a repeat of what the log has",
    { kind: "duplicate", parts: [], requires: "nothing" },
    { none: "committed", head: "committed", commit: "committed" },
  ],
  [
    "a repeat of a group-mate",
    { kind: "duplicate", parts: [], requires: "commit" },
    { none: "not told", head: "not told", commit: "committed" },
  ],
  [
    "another use of a committed id",
    { kind: "id_mismatch", requires: "nothing" },
    { none: "id_mismatch", head: "id_mismatch", commit: "id_mismatch" },
  ],
  [
    "another use of a group-mate's id",
    { kind: "id_mismatch", requires: "commit" },
    { none: "not told", head: "not told", commit: "id_mismatch" },
  ],
  [
    "a token that a committed one has passed",
    { kind: "fenced", token: 7, requires: "nothing" },
    { none: "fenced", head: "fenced", commit: "fenced" },
  ],
  [
    "a token that a group-mate has passed",
    { kind: "fenced", token: 7, requires: "commit" },
    { none: "not told", head: "not told", commit: "fenced" },
  ],
  [
    "a token that was never granted",
    { kind: "not_granted", lastToken: 3, requires: "nothing" },
    { none: "failed", head: "failed", commit: "failed" },
  ],
  [
    "what this record takes, which its attempt answers",
    { kind: "accept", parts: [] },
    { none: "not told", head: "not told", commit: "not told" },
  ],
  ["what waits", { kind: "wait" }, { none: "not told", head: "not told", commit: "not told" }],
];

describe.each(rules)("%s", (_, verdict, told) => {
  test.each(["none", "head", "commit"] as const)("is told only as it may be, with the proof: %s", (proof) => {
    expect(toldOf(verdict, proof)).toBe(told[proof]);
  });
});

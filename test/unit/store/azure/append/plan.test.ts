// What one commit takes of what waits, and what is refused: decided without storage, clock or chance.

import { describe, expect, test } from "vitest";
import { contentDigest } from "../../../../../src/codec/transaction.ts";
import { noMetadata } from "../../../../../src/core/entry.ts";
import { parseSegmentName, parseTransactionId } from "../../../../../src/core/ids.ts";
import type { AppendRequest, SegmentAppend } from "../../../../../src/store/azure/append/append-request.ts";
import { planCommit } from "../../../../../src/store/azure/append/plan.ts";
import type { PlanInput, Verdict } from "../../../../../src/store/azure/append/plan.ts";
import { emptySegment } from "../../../../../src/store/azure/rows/segment-rows.ts";
import type { TransactionPlace } from "../../../../../src/store/azure/rows/segment-rows.ts";
import { SegmentView } from "../../../../../src/store/azure/append/log-state.ts";

const logTimestamp = 1_000;
const timestamp = 1_001;
const ids = Array.from({ length: 9 }, (_, index) => parseTransactionId(`0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c0${index}`));

interface Wanted {
  readonly id?: number;
  readonly at?: number;
  readonly keyed?: boolean;
  readonly texts?: readonly string[];
  readonly lease?: { readonly key: string; readonly token: number };
}

function part(segment: string, { at, texts = ["x"] }: Wanted): SegmentAppend {
  const records = texts.map((text) => ({ payload: Buffer.from(text), metadata: noMetadata }));
  const [digest, plainBytes] = [contentDigest(records), 100 * records.length];
  return {
    segment: parseSegmentName(segment),
    records,
    digest,
    plainBytes,
    contentBytes: plainBytes,
    firstSequence: at,
    gap: undefined,
  };
}

function request(segments: string | readonly string[], wanted: Wanted = {}): AppendRequest {
  const { id = 0, keyed = false, lease } = wanted;
  return { id: ids[id]!, keyed, lease, parts: [segments].flat().map((segment) => part(segment, wanted)) };
}

/** A view of a segment that ends at `last`, whose transactions are known by their ids. */
function view(last: number, known: Partial<TransactionPlace> = {}): SegmentView {
  const made = new SegmentView([], 2_048);
  const { timestamp: lastTimestamp = 900, id = ids[8]! } = known;
  const head = {
    ...emptySegment,
    firstTimestamp: 100,
    lastSequence: last,
    lastTimestamp,
    transactionNumber: last,
    transactionId: id,
  };
  made.loaded(last === 0 ? emptySegment : head);
  for (const absent of ids) made.foundById(absent, "absent");
  if (known.id !== undefined) {
    made.foundById(known.id, {
      ...{ number: last, firstSequence: last, lastSequence: last, timestamp: lastTimestamp, digest: "", segments: 1 },
      ...known,
      id,
    });
  }
  return made;
}

function plan(
  requests: readonly AppendRequest[],
  views: Readonly<Record<string, SegmentView>>,
  changes: Partial<PlanInput<AppendRequest>> = {},
): Verdict[] {
  const verdicts = planCommit({
    requests,
    view: (segment) => views[segment] ?? view(0),
    isFull: () => false,
    timestamp,
    logTimestamp,
    fences: new Map(),
    bounds: { plainBytesMax: 1_000, transactionsMax: 4, summaryBytesMax: 10_000 },
    ...changes,
  });
  return requests.map((one) => verdicts.get(one)!);
}

const kinds = (verdicts: readonly Verdict[]): string[] => verdicts.map(({ kind }) => kind);

describe("at the tail", () => {
  test("each continues the one before it, numbered one by one", () => {
    const verdicts = plan([request("a", { texts: ["1", "2"] }), request("a"), request("b")], { a: view(5) });
    expect(kinds(verdicts)).toEqual(["accept", "accept", "accept"]);
    const places = verdicts.flatMap((one) => (one.kind === "accept" ? one.parts.map(({ summary }) => summary) : []));
    expect(places).toMatchObject([
      { segment: "a", firstSequence: 6, lastSequence: 7, number: 6 },
      { segment: "a", firstSequence: 8, lastSequence: 8, number: 7 },
      { segment: "b", firstSequence: 1, lastSequence: 1, number: 1 },
    ]);
  });

  test("the first timestamp is the segment's own, or of this commit", () => {
    const [old, first] = plan([request("a"), request("b")], { a: view(5) });
    expect(old).toMatchObject({ parts: [{ result: { firstTimestamp: 100 } }] });
    expect(first).toMatchObject({ parts: [{ result: { firstTimestamp: timestamp } }] });
  });
});

describe("with sequences", () => {
  test.each([
    [6, "accept"],
    [5, "conflict"],
    [7, "conflict"],
  ])("%d after 5 is an %s", (at, kind) => {
    expect(kinds(plan([request("a", { at })], { a: view(5) }))).toEqual([kind]);
  });

  test("of two for one place the first wins, and the refusal of the other rests on it", () => {
    const [won, lost] = plan([request("a", { at: 6 }), request("a", { id: 1, at: 6 })], { a: view(5) });
    expect(won?.kind).toBe("accept");
    expect(lost).toMatchObject({ kind: "conflict", requires: "commit", expected: 7, received: 6, lastSequence: 6 });
  });

  test("one segment that does not fit refuses all of them", () => {
    const both = { ...request(["a", "b"]), parts: [part("a", { at: 6 }), part("b", { at: 9 })] };
    expect(plan([both, request("a")], { a: view(5) })).toMatchObject([
      { kind: "conflict", part: { segment: "b" }, expected: 1, received: 9 },
      { kind: "accept", parts: [{ summary: { firstSequence: 6 } }] },
    ]);
  });
});

describe("an id that is there already", () => {
  const digest = contentDigest([{ payload: Buffer.from("x"), metadata: noMetadata }]);
  const keyed = request("a", { keyed: true });

  test("with the same content is a duplicate, and with other content refused", () => {
    expect(plan([keyed], { a: view(5, { id: ids[0]!, digest }) })).toMatchObject([
      { kind: "duplicate", requires: "nothing", parts: [{ place: { firstSequence: 5 } }] },
    ]);
    expect(plan([keyed], { a: view(5, { id: ids[0]!, digest: "other" }) })).toMatchObject([
      { kind: "id_mismatch", requires: "nothing" },
    ]);
    expect(plan([request("a", { keyed: true, at: 4 })], { a: view(5, { id: ids[0]!, digest }) })).toMatchObject([
      { kind: "id_mismatch" },
    ]);
  });

  test("was for several segments: for fewer, or of two commits, it is refused", () => {
    const both = request(["a", "b"], { keyed: true });
    const place = { id: ids[0]!, digest, segments: 2 };
    expect(kinds(plan([both], { a: view(5, place), b: view(3, place) }))).toEqual(["duplicate"]);
    expect(kinds(plan([both], { a: view(5, place), b: view(3, { ...place, timestamp: 800 }) }))).toEqual([
      "id_mismatch",
    ]);
    expect(kinds(plan([both], { a: view(5, place) }))).toEqual(["id_mismatch"]);
    expect(kinds(plan([keyed], { a: view(5, place) }))).toEqual(["id_mismatch"]);
  });

  test("in the same group rests on the group's commit", () => {
    const again = request("a", { keyed: true });
    const other = request("a", { keyed: true, texts: ["y"] });
    expect(plan([keyed, again, other], { a: view(5) })).toMatchObject([
      { kind: "accept" },
      { kind: "duplicate", requires: "commit" },
      { kind: "id_mismatch", requires: "commit" },
    ]);
  });

  test("without being looked up is no duplicate: the server made it", () => {
    expect(kinds(plan([request("a")], { a: view(5, { id: ids[0]!, digest }) }))).toEqual(["accept"]);
  });
});

describe("what is ahead of the log", () => {
  test("a head or an id from after the log decides nothing, for its own segment alone", () => {
    const later = { timestamp: logTimestamp + 5 };
    expect(plan([request("a"), request("b")], { a: view(5, later) })).toMatchObject([
      { kind: "ahead", segment: "a", timestamp: logTimestamp + 5 },
      { kind: "accept" },
    ]);
    const known = view(5);
    known.foundById(ids[0]!, {
      ...later,
      id: ids[0]!,
      number: 1,
      firstSequence: 1,
      lastSequence: 1,
      digest: "",
      segments: 1,
    });
    expect(kinds(plan([request("a", { keyed: true })], { a: known }))).toEqual(["ahead"]);
    expect(kinds(plan([request("a")], { a: known }))).toEqual(["accept"]);
  });
});

describe("what does not fit", () => {
  test("waits, with all that come later to its segment, and holds up no other segment", () => {
    const large = Array.from({ length: 8 }, () => "x");
    const requests = [request("a", { texts: large }), request("b", { texts: large }), request("b"), request("c")];
    expect(kinds(plan(requests, {}))).toEqual(["accept", "wait", "wait", "accept"]);
  });

  test("alone, anything fits", () => {
    const texts = Array.from({ length: 50 }, () => "x");
    expect(kinds(plan([request("a", { texts })], {}))).toEqual(["accept"]);
  });

  test("a segment that takes no more holds up those who come later to it, not to the others", () => {
    const requests = [request(["a", "b"]), request("a"), request("b")];
    expect(kinds(plan(requests, {}, { isFull: (segment) => segment === "a" }))).toEqual(["wait", "wait", "accept"]);
  });

  test("a record holds so many transactions", () => {
    const requests = ["a", "b", "c", "d", "e"].map((segment) => request(segment));
    expect(kinds(plan(requests, {}))).toEqual(["accept", "accept", "accept", "accept", "wait"]);
  });
});

describe("under a lease", () => {
  const fences = new Map([["k", 5]]);
  const under = (token: number, lastToken = 7): AppendRequest => ({
    ...request("a", { lease: { key: "k", token } }),
    grant: { lastToken, droppedAt: 0 },
  });

  test.each([
    [5, "accept"],
    [6, "accept"],
    [7, "accept"],
    [4, "fenced"],
    [8, "not_granted"],
  ])("token %d after 5, of 7 granted, is %s", (token, kind) => {
    expect(kinds(plan([under(token)], {}, { fences }))).toEqual([kind]);
  });

  test.each([
    [7, "accept"],
    [6, "not_granted"],
    [8, "not_granted"],
  ])("token %d of 7 granted, where the space does not have the lease, is %s", (token, kind) => {
    expect(kinds(plan([under(token)], {}, { fences: new Map() }))).toEqual([kind]);
  });

  test("a token that a group-mate has passed is refused with that one's commit", () => {
    expect(plan([under(7), under(6)], {}, { fences })).toMatchObject([
      { kind: "accept" },
      { kind: "fenced", token: 7, requires: "commit" },
    ]);
  });
});

// Decides what one commit takes of what is waiting, and what is refused: pure.
//
// Each verdict that refuses or repeats says what it `requires` before its caller may be told; `answer` in answers.ts
// holds the rule.

import { limits } from "../../../core/limits.ts";
import { redactedDigest } from "../../../codec/transaction.ts";
import type { SegmentName, TransactionId } from "../../../core/ids.ts";
import type { AppendRequest, SegmentAppend, SegmentAppended } from "./append-request.ts";
import type { TransactionSummary } from "../rows/log-rows.ts";
import { summaryBytes } from "../rows/log-rows.ts";
import type { SegmentHead, TransactionPlace } from "../rows/segment-rows.ts";
import type { SegmentView } from "./log-state.ts";
import { advance, movedProducer } from "../rows/segment-rows.ts";
import type { ProducerState, SegmentChange } from "../../../core/stream.ts";
import type { StreamAnswer, StreamDecision, StreamWish } from "../../stream-rules.ts";
import { areJson, decideStream, refusedPlain } from "../../stream-rules.ts";

/** The proof that a verdict needs before a caller may be told of it: see answers.ts. */
export type Requirement = "nothing" | "head" | "commit";

export type Verdict =
  /** Goes into this record. */
  | { readonly kind: "accept"; readonly parts: readonly AcceptedPart[] }
  /** Its sequences do not continue the segment. */
  | {
      readonly kind: "conflict";
      readonly part: SegmentAppend;
      readonly expected: number;
      readonly received: number;
      readonly lastSequence: number;
      readonly requires: "head" | "commit";
    }
  | { readonly kind: "duplicate"; readonly parts: readonly SegmentAppended[]; readonly requires: "nothing" | "commit" }
  | { readonly kind: "id_mismatch"; readonly requires: "nothing" | "commit" }
  /** A stream is not changed, for the reason that the answer gives. */
  | {
      readonly kind: "stream";
      readonly answer: StreamAnswer;
      readonly lastSequence: number;
      readonly requires: "head" | "commit";
    }
  /** `token`: the newer one that has committed to the space. */
  | { readonly kind: "fenced"; readonly token: number; readonly requires: "nothing" | "commit" }
  /**
   * The space has no token of the lease, and this one is not the last that was granted; or this one is beyond all that
   * were granted. If the log has moved on, the first says nothing: the request may have been committed since, and be a
   * repeat.
   */
  | { readonly kind: "not_granted"; readonly lastToken: number; readonly requires: "nothing" | "head" }
  /**
   * Its segment was read after a commit later than this version, at `timestamp`: nothing is decided before the log is
   * caught up with.
   */
  | { readonly kind: "ahead"; readonly segment: SegmentName; readonly timestamp: number }
  /** Does not fit into this record, or its segment has too much pending: waits. */
  | { readonly kind: "wait" };

export interface AcceptedPart {
  readonly part: SegmentAppend;
  readonly summary: TransactionSummary;
  readonly result: SegmentAppended;
}

export interface PlanBounds {
  /** The bytes of all entries of a record before compression; one request always fits. */
  readonly plainBytesMax: number;
  readonly transactionsMax: number;
  readonly summaryBytesMax: number;
}

/** The bounds that the service sets for one record. */
export const planBounds: PlanBounds = {
  // A sum of plain bytes within this always fits when compressed: incompressible data grows by less than 2 %.
  plainBytesMax: Math.floor(limits.dataBytesMax * 0.98),
  transactionsMax: 256,
  summaryBytesMax: limits.propertyBytesMax,
};

export interface PlanInput<I extends AppendRequest> {
  /** In the order they came; the views of all their segments are loaded, and their ids looked up. */
  readonly requests: readonly I[];
  readonly view: (segment: SegmentName) => SegmentView;
  /** Segments that take no more for now. */
  readonly isFull: (segment: SegmentName) => boolean;
  readonly timestamp: number;
  /** The timestamp of the last record in the version that the plan is made against. */
  readonly logTimestamp: number;
  /** The greatest token of each lease that has committed. */
  readonly fences: ReadonlyMap<string, number>;
  readonly bounds: PlanBounds;
}

/** One verdict for each request. */
export function planCommit<I extends AppendRequest>(input: PlanInput<I>): Map<I, Verdict> {
  const verdicts = new Map<I, Verdict>();
  const group = new Group(input);
  for (const request of input.requests) verdicts.set(request, group.judge(request));
  return verdicts;
}

class Group {
  readonly #input: PlanInput<AppendRequest>;
  /** The segments as the accepted members of this group leave them. */
  readonly #tentative = new Map<SegmentName, SegmentHead>();
  /** Segments that an earlier request waits for: who comes later waits too, so that nobody overtakes. */
  readonly #waitedFor = new Set<SegmentName>();
  readonly #tentativeFences = new Map<string, number>();
  /** One id may be used once in each segment. */
  readonly #tentativeById = new Map<TransactionId, (readonly AcceptedPart[])[]>();
  /** By segment and producer. */
  readonly #tentativeProducers = new Map<string, ProducerState>();
  #plainBytes = 0;
  #summaryBytes = 0;
  #transactions = 0;

  constructor(input: PlanInput<AppendRequest>) {
    this.#input = input;
  }

  judge(request: AppendRequest): Verdict {
    const ahead = this.#ahead(request);
    if (ahead !== undefined) return ahead;
    const repeated = this.#repeated(request);
    if (repeated !== undefined) return repeated;
    const fenced = this.#fenced(request);
    if (fenced !== undefined) return fenced;
    const overtakes = request.parts.some((part) => this.#waitedFor.has(part.segment));
    const verdict = overtakes ? { kind: "wait" as const } : this.#decide(request);
    if (verdict.kind === "wait") this.#waitFor(request);
    return verdict;
  }

  /** One that waits for full segments holds up no others: they may not move for long. */
  #waitFor({ parts }: AppendRequest): void {
    const full = parts.filter((part) => this.#input.isFull(part.segment));
    for (const { segment } of full.length > 0 ? full : parts) this.#waitedFor.add(segment);
  }

  #decide(request: AppendRequest): Verdict {
    const changes: (SegmentChange | undefined)[] = [];
    for (const part of request.parts) {
      const decision = this.#decideStream(part);
      if (decision.kind === "answer") {
        const { lastSequence } = this.#state(part.segment);
        const requires = this.#tentative.has(part.segment) ? "commit" : "head";
        return { kind: "stream", answer: decision.answer, lastSequence, requires };
      }
      changes.push(decision.change);
    }
    return this.#conflicting(request) ?? this.#accept(request, changes);
  }

  #decideStream({ records, segment, wish }: SegmentAppend): StreamDecision {
    const { stream } = this.#state(segment);
    const { timestamp } = this.#input;
    const isJson = (): boolean => areJson(records);
    if (wish === undefined) {
      const answer = refusedPlain({ stream, timestamp, isJson });
      return answer === undefined ? { kind: "write", change: undefined } : { kind: "answer", answer };
    }
    return decideStream(wish, { stream, producer: this.#producer(segment, wish), timestamp, isJson });
  }

  #producer(segment: SegmentName, wish: StreamWish): ProducerState | undefined {
    const id = producerOf(wish);
    if (id === undefined) return undefined;
    return this.#tentativeProducers.get(producerKey(segment, id)) ?? this.#input.view(segment).producer(id);
  }

  /** Its other segments may have been read too early to show that commit, and what is pending of it is not known. */
  #ahead({ id, keyed, parts }: AppendRequest): Verdict | undefined {
    for (const { segment, wish } of parts) {
      const view = this.#input.view(segment);
      const used = keyed ? (view.find(id)?.timestamp ?? 0) : 0;
      const producer = producerOf(wish);
      const moved = producer === undefined ? 0 : (view.producer(producer)?.timestamp ?? 0);
      const timestamp = Math.max(view.state?.lastTimestamp ?? 0, view.state?.changedAt ?? 0, used, moved);
      if (timestamp > this.#input.logTimestamp) return { kind: "ahead", segment, timestamp };
    }
    return undefined;
  }

  /** The verdict on an id that the log or this group has already. */
  #repeated(request: AppendRequest): Verdict | undefined {
    if (!request.keyed) return undefined;
    const mates = this.#tentativeById
      .get(request.id)
      ?.find((accepted) => accepted.some(({ part }) => request.parts.some((own) => own.segment === part.segment)));
    if (mates !== undefined) {
      const results = request.parts.map((part) => {
        const mate = mates.find((other) => other.part.segment === part.segment);
        if (mate === undefined || mates.length !== request.parts.length) return undefined;
        return isSameContent(mate.result.place, part) ? mate.result : undefined;
      });
      return asRepeat(results, "commit");
    }
    const found = request.parts.map((part) => this.#input.view(part.segment).find(request.id));
    if (found.every((place) => place === undefined)) return undefined;
    const results = request.parts.map((part, index) => {
      const place = found[index];
      const state = this.#input.view(part.segment).state;
      if (place === undefined || state === undefined || !isSameContent(place, part)) return undefined;
      if (place.segments !== request.parts.length || place.timestamp !== found[0]?.timestamp) return undefined;
      return { place, firstSequence: state.firstSequence, firstTimestamp: state.firstTimestamp, stream: state.stream };
    });
    return asRepeat(results, "nothing");
  }

  #fenced({ grant, lease }: AppendRequest): Verdict | undefined {
    if (lease === undefined) return undefined;
    const committed = this.#input.fences.get(lease.key);
    const token = Math.max(committed ?? 0, this.#tentativeFences.get(lease.key) ?? 0);
    const isCommitted = token === committed;
    if (lease.token < token) return { kind: "fenced", token, requires: isCommitted ? "nothing" : "commit" };
    if (lease.token === committed) return undefined;
    const lastToken = grant?.lastToken ?? 0;
    // If the space does not have the key, newer tokens may have committed: see `GrantLoader`.
    const isGranted = committed === undefined ? lease.token === lastToken : lease.token <= lastToken;
    if (isGranted) return undefined;
    return { kind: "not_granted", lastToken, requires: committed === undefined ? "head" : "nothing" };
  }

  #conflicting(request: AppendRequest): Verdict | undefined {
    for (const part of request.parts) {
      const { lastSequence } = this.#state(part.segment);
      const requires = this.#tentative.has(part.segment) ? "commit" : "head";
      const next = lastSequence + 1;
      if (part.firstSequence !== undefined && part.firstSequence !== next) {
        return { kind: "conflict", part, expected: next, received: part.firstSequence, lastSequence, requires };
      }
      if (part.gap !== undefined) {
        const { index, received } = part.gap;
        return { kind: "conflict", part, expected: next + index, received, lastSequence, requires };
      }
    }
    return undefined;
  }

  #accept(request: AppendRequest, changes: readonly (SegmentChange | undefined)[]): Verdict {
    const { bounds, isFull } = this.#input;
    const plainBytes = request.parts.reduce((sum, part) => sum + part.plainBytes, 0);
    if (request.parts.some((part) => isFull(part.segment))) return { kind: "wait" };
    const parts = request.parts.map((part, index) => this.#place(request, part, changes[index]));
    const addedSummary = parts.reduce((sum, { summary }) => sum + summaryBytes(summary), 0);
    const fits =
      this.#plainBytes + plainBytes <= bounds.plainBytesMax &&
      this.#summaryBytes + addedSummary <= bounds.summaryBytesMax &&
      this.#transactions + parts.length <= bounds.transactionsMax;
    if (this.#transactions > 0 && !fits) return { kind: "wait" };
    this.#plainBytes += plainBytes;
    this.#summaryBytes += addedSummary;
    this.#transactions += parts.length;
    for (const { part, result } of parts) {
      this.#tentative.set(part.segment, advance(this.#state(part.segment), result.place));
      const moved = movedProducer(result.place);
      if (moved !== undefined) this.#tentativeProducers.set(producerKey(part.segment, moved.id), moved.state);
    }
    this.#tentativeById.set(request.id, [...(this.#tentativeById.get(request.id) ?? []), parts]);
    if (request.lease !== undefined) this.#tentativeFences.set(request.lease.key, request.lease.token);
    return { kind: "accept", parts };
  }

  #place(request: AppendRequest, part: SegmentAppend, change: SegmentChange | undefined): AcceptedPart {
    const state = this.#state(part.segment);
    const summary: TransactionSummary = {
      segment: part.segment,
      firstSequence: state.lastSequence + 1,
      lastSequence: state.lastSequence + part.records.length,
      number: state.transactionNumber + 1,
      id: request.id,
      digest: part.digest,
      segments: request.parts.length,
      keyed: request.keyed,
      ...(change === undefined ? {} : { change }),
    };
    const place: TransactionPlace = { ...summary, timestamp: this.#input.timestamp };
    const { firstSequence, firstTimestamp, stream } = advance(state, place);
    return { part, summary, result: { place, firstSequence, firstTimestamp, stream } };
  }

  #state(segment: SegmentName): SegmentHead {
    const state = this.#tentative.get(segment) ?? this.#input.view(segment).state;
    if (state === undefined) throw new Error(`The view of segment ${segment} is not loaded.`);
    return state;
  }
}

/** The producer that a wish names. */
export function producerOf(wish: StreamWish | undefined): string | undefined {
  return wish?.kind === "append" ? wish.producer?.id : undefined;
}

/** No name has a NUL. */
function producerKey(segment: SegmentName, id: string): string {
  return `${segment}\0${id}`;
}

/**
 * The same number of records with the same content and, where the caller named them, the same sequences. What was
 * redacted has no digest to compare with.
 */
function isSameContent(place: TransactionPlace, part: SegmentAppend): boolean {
  return (
    (place.digest === part.digest || place.digest === redactedDigest) &&
    place.lastSequence - place.firstSequence + 1 === part.records.length &&
    (part.firstSequence === undefined || part.firstSequence === place.firstSequence)
  );
}

function asRepeat(results: readonly (SegmentAppended | undefined)[], requires: "nothing" | "commit"): Verdict {
  const parts = results.filter((result) => result !== undefined);
  if (parts.length !== results.length) return { kind: "id_mismatch", requires };
  return { kind: "duplicate", parts, requires };
}

// The knowledge that a writer has of its space's log: the version it knows, the views of segments as of it, the
// attempts that may still land under it. Everything moves together in one synchronous step, so that no commit is ever
// validated against one version and sent under another.

import type { SegmentName, TransactionId } from "../../../core/ids.ts";
import type { Applier } from "../apply/applier.ts";
import type { RecordContent } from "../apply/segment-queue.ts";
import type { Fate, LogVersion, StoredRecord } from "../log/log-reader.ts";
import type { RecordSummary, LogHead } from "../rows/log-rows.ts";
import { isPending } from "../rows/pending.ts";
import type { AppendRequest } from "./append-request.ts";
import type { AcceptedPart } from "./plan.ts";
import type { WaitingAppend } from "./queue.ts";
import type { AzureStoreOptions } from "../instance/options.ts";
import type { CachedSegments } from "../instance/segment-cache.ts";
import type { TransactionPlace, SegmentHead } from "../rows/segment-rows.ts";
import { placeOf, advance, follows, movedProducer } from "../rows/segment-rows.ts";
import type { Done } from "../rows/pending.ts";
import type { ProducerState } from "../../../core/stream.ts";

/**
 * A commit that was sent: decided when its record is found, or when the version it was sent under is gone without it.
 */
export interface Attempt {
  readonly record: RecordSummary;
  readonly content: RecordContent;
  readonly members: ReadonlyMap<WaitingAppend, readonly AcceptedPart[]>;
}

type ViewBounds = Pick<AzureStoreOptions, "viewJournalMax" | "viewLookupsMax">;

export class LogState {
  readonly #applier: Applier;
  readonly #views: CachedSegments<SegmentView>;
  readonly #options: ViewBounds;
  #version: LogVersion | undefined;
  #attempts: Attempt[] = [];
  /** The ids that open attempts hold, each with a segment. */
  readonly #open = new Set<string>();
  #restarts = 0;

  constructor(applier: Applier, views: CachedSegments<SegmentView>, options: ViewBounds) {
    this.#applier = applier;
    this.#views = views;
    this.#options = options;
  }

  get version(): LogVersion | undefined {
    return this.#version;
  }

  /** How often everything that was known of the log was given up. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Attempts under the present version whose outcome is not known. */
  get attempts(): readonly Attempt[] {
    return this.#attempts;
  }

  view(segment: SegmentName): SegmentView | undefined {
    return this.#views.get(segment);
  }

  /** A new view of the segment, as of the present version; its head is still to be read. */
  openView(segment: SegmentName): SegmentView {
    const pending = this.#applier
      .pendingIn(segment)
      .map(({ record, transaction }) => placeOf(record.summary, transaction));
    const view = new SegmentView(pending, this.#options.viewLookupsMax);
    this.#views.set(segment, view);
    return view;
  }

  /** The read of a view has failed: the next who needs it reads again. */
  dropView(segment: SegmentName, view: SegmentView): void {
    if (this.#views.peek(segment) === view) this.#views.delete(segment);
  }

  sent(attempt: Attempt): void {
    this.#attempts.push(attempt);
    for (const request of attempt.members.keys()) request.mayBeInLog = true;
    for (const { id, segment } of attempt.record.transactions) this.#open.add(`${id} ${segment}`);
  }

  /** Whether a record under the request's id, from any caller, may still land, or is known to be in the log. */
  mayHold({ id, parts }: Pick<AppendRequest, "id" | "parts">): boolean {
    return parts.some(({ segment }) => {
      const found = this.#views.peek(segment)?.find(id)?.timestamp ?? Infinity;
      return this.#open.has(`${id} ${segment}`) || found <= (this.#version?.head.timestamp ?? 0);
    });
  }

  /**
   * The log is at a later version, and these are all records between. Decides every attempt: returns those whose record
   * is among them. The others never happened and never will: the ETag they were sent under is gone.
   */
  advance(to: LogVersion, records: readonly StoredRecord[]): Attempt[] {
    const attempts = this.#takeAttempts();
    const landed: Attempt[] = [];
    for (const { summary, writtenAt } of records) {
      const own = attempts.find((attempt) => attempt.record.recordId === summary.recordId);
      if (own !== undefined) landed.push(own);
      if (isPending(to.head.unapplied, summary.timestamp)) this.#applier.add(summary, writtenAt, own?.content);
      for (const transaction of summary.transactions) this.#fold(transaction.segment, placeOf(summary, transaction));
    }
    this.#version = to;
    return landed;
  }

  /**
   * The log is at a version whose way there is not known: all views go. `pending`: the records it lists as unapplied;
   * `fates`: what became of own attempts, by the ids of their records.
   */
  restart(
    to: LogVersion,
    pending: readonly StoredRecord[],
    fates: ReadonlyMap<string, Fate>,
  ): { readonly landed: Attempt[]; readonly unknown: Attempt[] } {
    const attempts = this.#takeAttempts();
    const of = (fate: Fate): Attempt[] => attempts.filter(({ record }) => fates.get(record.recordId) === fate);
    const landed = of("landed");
    const unknown = of("unknown");
    // The id's row decides about a request with an id; nobody may tell it that nothing happened.
    for (const { members } of unknown) for (const request of members.keys()) request.mayBeInLog = true;
    this.#views.clear();
    this.#restarts += 1;
    for (const { summary, writtenAt } of pending) {
      const own = landed.find((attempt) => attempt.record.recordId === summary.recordId);
      this.#applier.add(summary, writtenAt, own?.content);
    }
    this.#version = to;
    return { landed, unknown };
  }

  /**
   * A view that a transaction does not follow is damaged: dropped, so that its segment alone is read again, and
   * refused.
   */
  #fold(segment: SegmentName, place: TransactionPlace): void {
    const view = this.#views.peek(segment);
    if (view === undefined) return;
    if (!view.fold(place) || view.journalLength > this.#options.viewJournalMax) this.#views.delete(segment);
    else this.#views.grown(segment, view);
  }

  #takeAttempts(): Attempt[] {
    const attempts = this.#attempts;
    this.#attempts = [];
    this.#open.clear();
    for (const attempt of attempts) for (const request of attempt.members.keys()) request.mayBeInLog = false;
    return attempts;
  }
}

/** The records that one write of the head writes off. */
export interface Settling {
  readonly applied: Done;
  readonly notified: Done;
}

/** The records that this instance has seen done, until a write of the log's head says so. */
export class DoneList {
  /** Timestamps of records that are applied, and of those that are notified. */
  readonly applied = new Set<number>();
  readonly notified = new Set<number>();
  /** Records of this instance that are applied, and that nobody has been told of yet. */
  readonly untold: RecordSummary[] = [];
  /** All records up to this timestamp are notified, also those that the head does not list one by one. */
  notifiedThrough = 0;

  snapshot(): Settling {
    return {
      applied: { records: new Set(this.applied), through: 0 },
      notified: { records: new Set(this.notified), through: this.notifiedThrough },
    };
  }

  /** The head says so now. */
  remove(settled: Settling): void {
    for (const timestamp of settled.applied.records) this.applied.delete(timestamp);
    for (const timestamp of settled.notified.records) this.notified.delete(timestamp);
  }

  /** The log is another one. */
  clear(): void {
    this.applied.clear();
    this.notified.clear();
    this.untold.length = 0;
    this.notifiedThrough = 0;
  }

  /** Drops what the head does not list any more. */
  keep(head: LogHead): void {
    for (const timestamp of this.applied) if (!isPending(head.unapplied, timestamp)) this.applied.delete(timestamp);
    for (const timestamp of this.notified) if (!isPending(head.unnotified, timestamp)) this.notified.delete(timestamp);
  }

  /** How many records the head lists as unapplied that are not known to be done. */
  unsettled(head: LogHead): number {
    return head.unapplied.listed.reduce((sum, timestamp) => (this.applied.has(timestamp) ? sum : sum + 1), 0);
  }
}

// The knowledge of one segment that a writer validates produces against: its logical state as of a version of the log.
//
// A view is read after the log's version is known, and overlaid with the transactions that were pending then or were
// committed since (the journal). The read may be ahead of the version, because folding in is idempotent. By
// construction a transaction of the log is either in the journal or was applied before the read: if neither shows it,
// it is not there.

/** The answer of a look-up of a producer. */
export type FoundProducer = ProducerState | "absent";

/** The answer of a look-up by id: where it is, or that it was not there. */
export type FoundPlace = TransactionPlace | "absent";

export class SegmentView {
  /** Undefined until its head has been read. */
  #state: SegmentHead | undefined;
  #wasEmpty = false;
  /** Transactions that may not have been applied when the head was read, ascending. */
  readonly #journal: TransactionPlace[] = [];
  readonly #byId = new Map<TransactionId, TransactionPlace>();
  readonly #found = new Map<TransactionId, FoundPlace>();
  /** The producers of the stream that the segment is, by the journal; and as their rows say. */
  readonly #moved = new Map<string, ProducerState>();
  readonly #foundProducers = new Map<string, FoundProducer>();

  readonly #lookupsMax: number;

  /**
   * `pending`: what the log's present version says is committed but perhaps not applied, ascending; `lookupsMax`:
   * answers of look-ups by id that are kept.
   */
  constructor(pending: readonly TransactionPlace[], lookupsMax: number) {
    this.#lookupsMax = lookupsMax;
    for (const place of pending) this.#note(place);
  }

  /** The segment as of the log's version, or undefined while it is being read. */
  get state(): SegmentHead | undefined {
    return this.#state;
  }

  /** How many transactions the journal holds: bounded by dropping the view. */
  get journalLength(): number {
    return this.#journal.length;
  }

  /** How many transactions it remembers, and itself. */
  get weight(): number {
    return 1 + this.#journal.length + this.#found.size + this.#foundProducers.size;
  }

  /** Takes the head as read; only then is there a state. */
  loaded(head: SegmentHead): void {
    let state = head;
    for (const place of this.#journal) state = advance(state, place);
    this.#wasEmpty = head.transactionNumber === 0;
    this.#state = state;
  }

  /**
   * A transaction that the log has gained. False: it does not follow what was read, so what was read cannot be right.
   */
  fold(place: TransactionPlace): boolean {
    this.#note(place);
    if (this.#state === undefined) return true;
    if (!follows(this.#state, place)) return false;
    this.#state = advance(this.#state, place);
    return true;
  }

  /** Whether `find` can answer for this id. */
  knows(id: TransactionId): boolean {
    return this.#state !== undefined && (this.#wasEmpty || this.#byId.has(id) || this.#found.has(id));
  }

  /** The answer of reading the id's row, begun after this view. */
  foundById(id: TransactionId, place: FoundPlace): void {
    // A forgotten lookup is made again when it is needed again.
    if (this.#found.size >= this.#lookupsMax) this.#found.clear();
    this.#found.set(id, place);
  }

  /** The transaction with this id; to be asked only when `knows` says so. */
  find(id: TransactionId): TransactionPlace | undefined {
    const place = this.#byId.get(id) ?? this.#found.get(id);
    return place === "absent" ? undefined : place;
  }

  /** Whether `producer` can answer for this one. */
  knowsProducer(id: string): boolean {
    return this.#state !== undefined && (this.#wasEmpty || this.#moved.has(id) || this.#foundProducers.has(id));
  }

  /** The answer of reading the producer's row, begun after this view. */
  foundProducer(id: string, state: FoundProducer): void {
    if (this.#foundProducers.size >= this.#lookupsMax) this.#foundProducers.clear();
    this.#foundProducers.set(id, state);
  }

  /** How far the producer has come; to be asked only when `knowsProducer` says so. */
  producer(id: string): ProducerState | undefined {
    const found = this.#foundProducers.get(id);
    const moved = this.#moved.get(id);
    if (found === undefined || found === "absent") return moved;
    return moved !== undefined && moved.timestamp >= found.timestamp ? moved : found;
  }

  /** The transaction that holds the sequence, if it is in the journal; what is not is in a block. */
  at(sequence: number): TransactionPlace | undefined {
    return this.#journal.find((place) => place.firstSequence <= sequence && sequence <= place.lastSequence);
  }

  #note(place: TransactionPlace): void {
    const last = this.#journal.at(-1);
    if (last !== undefined && place.number <= last.number) return;
    this.#journal.push(place);
    this.#byId.set(place.id, place);
    const moved = movedProducer(place);
    if (moved !== undefined) this.#moved.set(moved.id, moved.state);
  }
}

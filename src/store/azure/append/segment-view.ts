// The knowledge of one segment that a writer validates produces against: its logical state as of a version of the log.
//
// A view is read after the log's version is known, and overlaid with the transactions that were pending then or were
// committed since (the journal). The read may be ahead of the version, because folding in is idempotent. By
// construction a transaction of the log is either in the journal or was applied before the read: if neither shows it,
// it is not there.

import type { TransactionId } from "../../../core/ids.ts";
import type { ProducerState } from "../../../core/stream.ts";
import { advance, follows, movedProducer } from "../rows/segment-rows.ts";
import type { SegmentHead, TransactionPlace } from "../rows/segment-rows.ts";

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

// What is true of a store, as the service's own rows tell it write by write: the logs, and how far everything that is
// derived from them has come. The judge of every answer and every read.

import type { SegmentName, SpaceName, TransactionId } from "../../src/core/ids.ts";
import { chunkId } from "./operations.ts";
import type { Operation } from "./operations.ts";

/** An entry of a log. */
export interface LogEntry {
  readonly segment: SegmentName;
  readonly sequence: number;
  readonly timestamp: number;
  readonly id: TransactionId;
  readonly node: string;
  readonly number: number;
  /** Where the payload comes from. */
  readonly text: string;
}

export interface LogTransaction {
  readonly operation: Operation;
  readonly partIndex: number;
  readonly chunk: number;
  readonly segment: SegmentName;
  readonly id: TransactionId;
  readonly number: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly timestamp: number;
  readonly keyed: boolean;
  /** Virtual time. */
  readonly landedAt: number;
  /** Somebody was told that it was committed for the first time. */
  claimed: boolean;
}

export interface LogRecord {
  readonly timestamp: number;
  readonly recordId: string;
  readonly node: string;
  readonly position: number;
  readonly transactions: readonly LogTransaction[];
  /** What the space had had up to it, as `Counts` has it. */
  readonly entriesThrough: number;
  readonly bytesThrough: number;
  pendingApply: boolean;
  pendingNotify: boolean;
}

/** From then on (virtual time) nothing before this is shown to whoever begins to read. */
interface Acknowledged {
  readonly at: number;
  readonly first: number;
}

/** What was acknowledged by a moment: nothing before this is shown. */
export function acknowledgedBy(trims: readonly Acknowledged[], at: number): number {
  return trims.reduce((first, trim) => (trim.at <= at ? Math.max(first, trim.first) : first), 0);
}

export class SegmentTruth {
  readonly name: SegmentName;
  /** By sequence, from 1. */
  readonly entries: LogEntry[] = [];
  readonly transactions: LogTransaction[] = [];
  readonly byId = new Map<TransactionId, LogTransaction>();
  /** The last sequence that the stored segment has. */
  applied = 0;
  /** The first that it has, or will have; and how far trims of its own went, as its head says. */
  first = 1;
  own = 1;
  /** Its blocks: the first sequence of each, by its last one. */
  blocks = new Map<number, number>();
  /** The furthest point that a trim of its own was asked for. */
  asked = 1;
  trims: Acknowledged[] = [];
  /** It has its row in the inventory. */
  listed = false;
  /** A produce to it was acknowledged as applied: its name must be found. */
  acknowledged = false;
  /** The furthest last sequence that a status message told. */
  notified = 0;

  constructor(name: SegmentName) {
    this.name = name;
  }

  get length(): number {
    return this.entries.length;
  }

  /** Gives how to go back to what is true now. */
  save(): () => void {
    const [entries, transactions] = [this.entries.length, this.transactions.length];
    const { acknowledged, applied, listed, notified, first, own } = this;
    const [blocks, trims] = [new Map(this.blocks), [...this.trims]];
    return () => {
      this.entries.length = entries;
      for (const { id } of this.transactions.splice(transactions)) this.byId.delete(id);
      Object.assign(this, { acknowledged, applied, listed, notified, first, own, blocks, trims });
    };
  }

  holderOf(sequence: number): LogTransaction | undefined {
    return this.transactions.findLast(
      ({ firstSequence, lastSequence }) => firstSequence <= sequence && sequence <= lastSequence,
    );
  }
}

export class SpaceTruth {
  readonly name: SpaceName;
  readonly records: LogRecord[] = [];
  /** All entries in the order that every reader must see. */
  readonly order: LogEntry[] = [];
  readonly segments = new Map<SegmentName, SegmentTruth>();
  readonly #pending = new Set<LogRecord>();
  /** The rows of its log that have records: the first timestamp of each, by its last one. */
  rows = new Map<number, number>();
  /** The monitor's row. */
  open = false;
  /** The greatest token of each lease that has committed. */
  readonly fences = new Map<string, number>();
  listed = false;
  acknowledged = false;
  /** What the space has had, as `Counts` has it. */
  entries = 0;
  bytes = 0;
  /** The last timestamp that a trim has removed from its log. */
  goneThrough = 0;
  /** The furthest time up to which trims were asked for: entries before it. */
  asked = 0;
  /** By timestamps. */
  trims: Acknowledged[] = [];

  constructor(name: SpaceName) {
    this.name = name;
  }

  segment(name: SegmentName): SegmentTruth {
    const known = this.segments.get(name);
    if (known !== undefined) return known;
    const segment = new SegmentTruth(name);
    this.segments.set(name, segment);
    return segment;
  }

  /** Records that the log's head lists as pending, for whatever. */
  get pending(): ReadonlySet<LogRecord> {
    return this.#pending;
  }

  setPending(record: LogRecord, apply: boolean, notify: boolean): void {
    record.pendingApply = apply;
    record.pendingNotify = notify;
    if (apply || notify) this.#pending.add(record);
    else this.#pending.delete(record);
  }

  /** Gives how to go back to what is true now. */
  save(): () => void {
    const segments = new Map([...this.segments.values()].map((segment) => [segment, segment.save()]));
    const [order, fences, { open, listed, acknowledged, entries, bytes }] = [this.order.length, [...this.fences], this];
    const records = this.records.map((record) => ({ record, ...record }));
    const [goneThrough, trims, rows] = [this.goneThrough, [...this.trims], new Map(this.rows)];
    return () => {
      for (const segment of this.segments.values()) if (!segments.has(segment)) this.segments.delete(segment.name);
      for (const restore of segments.values()) restore();
      this.order.length = order;
      this.records.length = records.length;
      this.#pending.clear();
      for (const { record, pendingApply, pendingNotify } of records)
        this.setPending(record, pendingApply, pendingNotify);
      this.fences.clear();
      for (const [key, token] of fences) this.fences.set(key, token);
      Object.assign(this, { open, listed, acknowledged, entries, bytes, goneThrough, trims, rows });
    };
  }

  /** One after the last entry of a segment with an earlier timestamp. */
  firstFrom(segment: SegmentTruth, timestamp: number): number {
    return 1 + segment.entries.findLastIndex((entry) => entry.timestamp < timestamp) + 1;
  }

  lengths(): ReadonlyMap<SegmentName, number> {
    return new Map([...this.segments].map(([name, segment]) => [name, segment.length]));
  }

  /** The part of a record that is not yet where it belongs; undefined: none. */
  missingOf(record: LogRecord): string | undefined {
    for (const { segment, lastSequence, number } of record.transactions) {
      const { applied, listed } = this.segment(segment);
      if (applied < lastSequence) return `segment ${segment} is at ${applied}, the record goes to ${lastSequence}`;
      if (number === 1 && !listed) return `segment ${segment} is not in the inventory`;
    }
    if (record.position === 1 && !this.listed) return "the space is not in the inventory";
    return undefined;
  }

  unnotifiedOf(record: LogRecord): string | undefined {
    for (const { segment, lastSequence } of record.transactions) {
      if (this.segment(segment).notified < lastSequence)
        return `no status of ${segment} at ${lastSequence} or beyond was sent`;
    }
    return undefined;
  }
}

/** The first thing that was wrong; a run ends with it. */
export class Verdict {
  wrong: string | undefined;

  report(invariant: string, what: string): void {
    this.wrong ??= `${invariant}: ${what}`;
  }

  /** Reports unless it holds. */
  check(holds: boolean, invariant: string, what: () => string): boolean {
    if (!holds) this.report(invariant, what());
    return holds;
  }
}

/** Which operations there are. */
export class Register {
  readonly operations: Operation[] = [];
  /** Which instance a node id is. */
  readonly nodes = new Map<string, string>();
  /** The last token of each lease that was granted. */
  readonly granted = new Map<string, number>();
  /** When each record was first sent (virtual time), by its id's digits. */
  readonly sent = new Map<string, number>();

  /**
   * Who asked for these records under this id, to so many segments at once; an operation without an id was given one.
   * Of the same records under the same id there is one that may land: those that imitate it name places that are never
   * free.
   */
  operation(records: number, chunkIndex: number, id: string, segments: number): Operation | undefined {
    const alike = this.operations.filter((one) => one.records === records);
    const fits = (one: Operation): boolean => chunkId(one, chunkIndex) === id && one.parts.length === segments;
    return alike.find(fits) ?? alike.find((one) => one.id === undefined) ?? alike[0];
  }
}

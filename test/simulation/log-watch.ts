// Judges every write to a space's log as it takes effect (I1 to I5): what was committed, for whom, in which order, and
// what the head stops listing as pending.

import { contentDigest } from "../../src/codec/transaction.ts";
import type { EntryBatch } from "../../src/codec/transaction.ts";
import { contentBytes } from "../../src/core/entry.ts";
import { compactedRow } from "../../src/store/azure/rows/keys.ts";
import { decodeLogHead, decodeRecordSummary } from "../../src/store/azure/rows/log-rows.ts";
import type { LogHead, TransactionSummary } from "../../src/store/azure/rows/log-rows.ts";
import type { Pending } from "../../src/store/azure/rows/pending.ts";
import type { Row } from "../../src/table/port.ts";
import type { Change } from "../doubles/simulated-service.ts";
import type { Operation } from "./operations.ts";
import { chunkAt, chunkId, chunkLength, originOf, sequenceAt } from "./operations.ts";
import { logMerged } from "./merge-watch.ts";
import { decodeData } from "./stored.ts";
import { logTrimmed } from "./trim-watch.ts";
import type { LogRecord, LogTransaction, Register, SpaceTruth, Verdict } from "./truth.ts";

/**
 * How far ahead of the service a timestamp may be that nobody before it made later: what a clock is trusted with, and a
 * second.
 */
const aheadMax = 6_000;

export class LogWatch {
  readonly #space: SpaceTruth;
  readonly #verdict: Verdict;
  readonly #register: Register;
  /** Virtual time. */
  readonly #now: () => number;
  /** How long a merged row has the ids of its records, milliseconds. */
  readonly #idsKeptMs: number;
  #head: LogHead | undefined;

  constructor(space: SpaceTruth, verdict: Verdict, register: Register, now: () => number, idsKeptMs: number) {
    this.#space = space;
    this.#verdict = verdict;
    this.#register = register;
    this.#now = now;
    this.#idsKeptMs = idsKeptMs;
  }

  get head(): LogHead | undefined {
    return this.#head;
  }

  /** Gives how to go back to what is known of the log now. */
  save(): () => void {
    const head = this.#head;
    return () => {
      this.#head = head;
    };
  }

  /** Says what it was, for the history. */
  written(changes: readonly Change[], headRow: string, serviceNow: number): string {
    const { name } = this.#space;
    const head = changes.find(({ row }) => row === headRow);
    const others = changes.filter(({ row }) => row !== headRow);
    if (head === undefined && others.some(({ row }) => row === compactedRow)) {
      return logMerged(this.#space, others, this.#verdict, serviceNow - this.#idsKeptMs);
    }
    if (head === undefined) return logTrimmed(this.#space, others, this.#verdict);
    if (head.after === undefined || others.length > 1) {
      this.#verdict.report("I1", `a write to the log of ${name} that is neither a commit nor a rewrite of its head`);
      return "";
    }
    const before = this.#head;
    const after = decodeLogHead(head.after);
    this.#head = after;
    const [record] = others;
    if (record === undefined) {
      this.#rewritten(before, after);
      this.#isFenced(after);
      this.#released(after);
      return `head of ${name}: ${describeHead(after)}`;
    }
    if (record.after === undefined || record.before !== undefined) {
      this.#verdict.report("I1", `a record of ${name} was changed or removed`);
      return "";
    }
    const committed = this.#committed(before, after, record.after, serviceNow);
    this.#isFenced(after);
    this.#released(after);
    return `commit ${name} ${after.timestamp}: ${committed}; ${describeHead(after)}`;
  }

  #rewritten(before: LogHead | undefined, after: LogHead): void {
    const same =
      before === undefined
        ? after.count === 0 && after.timestamp === 0
        : after.count === before.count && after.timestamp === before.timestamp && after.recordId === before.recordId;
    // The first count of a space counts all that it has had.
    const { entries, bytes } = before?.counts ?? (after.counts === undefined ? {} : this.#space);
    const counted = entries === after.counts?.entries && bytes === after.counts?.bytes;
    this.#verdict.check(
      before === undefined || counted,
      "I8",
      () => `the counts of ${this.#space.name} changed without a record`,
    );
    this.#verdict.check(same, "I1", () => `the head of ${this.#space.name} was set back or ahead without a record`);
  }

  #committed(before: LogHead | undefined, after: LogHead, row: Row, serviceNow: number): string {
    const { check } = bound(this.#verdict);
    const space = this.#space;
    const summary = decodeRecordSummary(row);
    const { timestamp, position, recordId, node } = summary;
    const last = before?.timestamp ?? 0;
    check(timestamp > last, "I3", () => `record ${timestamp} of ${space.name} is not after ${last}`);
    check(position === (before?.count ?? 0) + 1, "I2", () => `record ${timestamp} says it is number ${position}`);
    check(
      after.count === position && after.timestamp === timestamp && after.recordId === recordId,
      "I2",
      () => `the head of ${space.name} does not tell of record ${timestamp}`,
    );
    const latest = Math.max(last + 1, serviceNow + aheadMax);
    check(timestamp <= latest, "I7", () => `record ${timestamp} is ${timestamp - serviceNow} ms ahead of the service`);
    check(after.registered, "I5", () => `a commit to ${space.name} without registration`);
    const batches = decodeData(row);
    check(batches.length === summary.transactions.length, "I6", () => `record ${timestamp} has other data`);
    const counts = countsOf(batches);
    space.entries += counts.entries;
    space.bytes += counts.bytes;
    for (const told of [summary.counts, after.counts]) {
      const isExact = told === undefined || (told.entries === space.entries && told.bytes === space.bytes);
      check(
        isExact,
        "I8",
        () => `${space.name} has had ${space.entries} entries, record ${timestamp} says ${told?.entries ?? 0}`,
      );
    }
    const begins = position === 1 && after.format === 2;
    const isCounted = after.counts !== undefined || !(begins || before?.counts !== undefined);
    check(isCounted, "I8", () => `the head of ${space.name} has no counts any more`);
    check(after.format >= (before?.format ?? 1), "I8", () => `the head of ${space.name} is of an earlier format again`);
    const record: LogRecord = {
      timestamp,
      recordId,
      node,
      position,
      transactions: [],
      entriesThrough: space.entries,
      bytesThrough: space.bytes,
      pendingApply: false,
      pendingNotify: false,
    };
    const transactions = summary.transactions.flatMap((transaction, index) => {
      const batch = batches[index];
      return batch === undefined ? [] : (this.#transaction(transaction, batch, timestamp, node, recordId) ?? []);
    });
    this.#isSpaceOrder(summary.transactions);
    this.#together(transactions);
    this.#leased(transactions.map(({ operation }) => operation));
    const full = { ...record, transactions };
    space.records.push(full);
    space.rows.set(timestamp, timestamp);
    space.setPending(full, true, isPending(after.unnotified, timestamp));
    return transactions.map(describeTransaction).join(", ");
  }

  /**
   * One transaction of a new record: continues its segment, is what was asked for, once, by somebody who may still be
   * waiting.
   */
  #transaction(
    summary: TransactionSummary,
    batch: EntryBatch,
    timestamp: number,
    node: string,
    recordId: string,
  ): LogTransaction | undefined {
    const { check } = bound(this.#verdict);
    const truth = this.#space.segment(summary.segment);
    const at = `${summary.segment} ${summary.firstSequence} to ${summary.lastSequence}`;
    check(summary.firstSequence === truth.length + 1, "I2", () => `${at} does not continue at ${truth.length + 1}`);
    check(summary.number === truth.transactions.length + 1, "I2", () => `${at} is transaction ${summary.number}`);
    const digest = contentDigest(batch.entries);
    const same =
      batch.segment === summary.segment &&
      batch.firstSequence === summary.firstSequence &&
      batch.lastSequence === summary.lastSequence &&
      batch.timestamp === timestamp &&
      batch.trx.id === summary.id &&
      batch.trx.number === summary.number &&
      batch.trx.node === node &&
      digest === summary.digest;
    check(same, "I6", () => `the data of ${at} is not what its summary says`);
    const first = originOf(batch.entries[0]?.payload ?? new Uint8Array());
    const { operations } = this.#register;
    const model = operations[first.operation - 1]?.parts[first.part];
    const begun = model === undefined ? 0 : chunkAt(model, first.index);
    const operation = this.#register.operation(first.operation, begun, summary.id, summary.segments);
    const part = operation?.parts[first.part];
    if (operation === undefined || part === undefined) {
      this.#verdict.report("I1", `${at} holds what nobody asked for: ${first.text}`);
      return undefined;
    }
    const chunk = chunkAt(part, first.index);
    const length = summary.lastSequence - summary.firstSequence + 1;
    check(
      chunk >= 0 && chunkLength(part, chunk) === length,
      "I1",
      () => `${at} is not a chunk of #${operation.number}`,
    );
    check(
      operation.space === this.#space.name && part.segment === summary.segment && part.gapAt === undefined,
      "I4",
      () => `${at} is not where #${operation.number} asked for`,
    );
    batch.entries.forEach(({ payload, sequence, timestamp: stamped }, index) => {
      const { text } = originOf(payload);
      const wanted = `${operation.records}.${first.part}.${first.index + index}`;
      check(text === wanted, "I1", () => `${at} holds ${text} where ${wanted} was asked for`);
      const named = sequenceAt(part, first.index + index);
      check(
        named === undefined || named === sequence,
        "I4",
        () => `#${operation.number} asked for ${named}, got ${sequence}`,
      );
      check(stamped === timestamp, "I3", () => `an entry of ${at} has a timestamp of its own`);
      const { id, number } = summary;
      const entry = { segment: summary.segment, sequence, timestamp, id, node, number, text };
      truth.entries.push(entry);
      this.#space.order.push(entry);
    });
    const wantedId = chunkId(operation, chunk);
    check(
      wantedId === undefined || wantedId === summary.id,
      "I1",
      () => `${at} has another id than #${operation.number}`,
    );
    const twice = [...this.#space.segments.values()].some((segment) =>
      segment.transactions.some(
        (other) => other.operation === operation && other.partIndex === first.part && other.chunk === chunk,
      ),
    );
    check(!twice, "I1", () => `#${operation.number} was committed twice: again as ${at}`);
    // An id that is recognised at its places alone is not kept.
    check(
      !(summary.keyed && truth.byId.get(summary.id)?.keyed === true),
      "I1",
      () => `id ${summary.id} was committed twice to ${at}`,
    );
    const before = truth.transactions.at(-1);
    const continues =
      chunk <= 0 || truth.transactions.some((other) => other.operation === operation && other.chunk === chunk - 1);
    check(
      continues,
      "I1",
      () => `chunk ${chunk} of #${operation.number} came before the one before it (${before?.id})`,
    );
    const instance = this.#register.nodes.get(node);
    const waiting = operation.calls.some(
      (call) => call.instance === instance && (call.state === "open" || call.state === "unknown"),
    );
    check(
      waiting,
      "I4",
      () => `#${operation.number} was committed as ${at} by ${instance} after it was told that nothing happened`,
    );
    const sentAt = this.#register.sent.get(recordId.replaceAll("-", "")) ?? Infinity;
    const denied = operation.calls.find(
      (call) =>
        call.instance === instance &&
        call.state === "none" &&
        call.acknowledged === chunk &&
        operation.id !== undefined &&
        (call.answeredAt ?? Infinity) > sentAt,
    );
    check(
      denied === undefined,
      "I4",
      () => `call ${denied?.number} of #${operation.number} was told that nothing happened while ${at} was on its way`,
    );
    const { segment, id, number, firstSequence, lastSequence, keyed } = summary;
    const transaction: LogTransaction = {
      operation,
      partIndex: first.part,
      chunk,
      segment,
      id,
      number,
      firstSequence,
      lastSequence,
      timestamp,
      keyed,
      landedAt: this.#now(),
      claimed: false,
    };
    truth.transactions.push(transaction);
    if (transaction.keyed || !truth.byId.has(id)) truth.byId.set(id, transaction);
    return transaction;
  }

  /** A writer under a lease held it, as far as the log told before this record. */
  #leased(operations: readonly Operation[]): void {
    const { fences, name } = this.#space;
    const before = new Map(fences);
    for (const { number, lease } of operations) {
      if (lease === undefined) continue;
      const newest = before.get(lease.key) ?? 0;
      this.#verdict.check(
        lease.token >= newest,
        "I4",
        () => `#${number} has written to ${name} though its lease has passed on to token ${newest}`,
      );
      this.#verdict.check(
        lease.token <= (this.#register.granted.get(lease.key) ?? 0),
        "I4",
        () => `#${number} has written to ${name} under a token that was never granted`,
      );
      fences.set(lease.key, Math.max(fences.get(lease.key) ?? 0, lease.token));
    }
  }

  #isSpaceOrder(transactions: readonly TransactionSummary[]): void {
    for (const [index, transaction] of transactions.entries()) {
      const before = transactions[index - 1];
      if (before === undefined) continue;
      const order = Buffer.compare(Buffer.from(before.segment), Buffer.from(transaction.segment));
      const ordered = order < 0 || (order === 0 && before.firstSequence < transaction.firstSequence);
      this.#verdict.check(ordered, "I3", () => `within a record, ${transaction.segment} comes after ${before.segment}`);
    }
  }

  /** What is asked for together comes together. */
  #together(transactions: readonly LogTransaction[]): void {
    for (const { operation } of transactions) {
      const parts = transactions.filter((other) => other.operation === operation).length;
      const whole = !operation.together || parts === operation.parts.length;
      this.#verdict.check(whole, "I1", () => `only ${parts} segments of #${operation.number} were committed together`);
    }
  }

  /** The head keeps the greatest token of each lease, but for those that made room. */
  #isFenced({ fences }: LogHead): void {
    const wanted = this.#space.fences;
    const same =
      [...fences].every(([key, token]) => wanted.get(key) === token) && (fences.size > 0 || wanted.size === 0);
    this.#verdict.check(same, "I4", () => `the head of ${this.#space.name} has other lease tokens than have committed`);
  }

  /** What the head no longer lists is done. */
  #released(head: LogHead): void {
    const space = this.#space;
    for (const record of [...space.pending]) {
      const apply = isPending(head.unapplied, record.timestamp);
      const notify = isPending(head.unnotified, record.timestamp);
      if (record.pendingApply && !apply) {
        const missing = space.missingOf(record);
        this.#verdict.check(
          missing === undefined,
          "I5",
          () => `record ${record.timestamp} of ${space.name} was settled: ${missing}`,
        );
      }
      if (record.pendingNotify && !notify) {
        const missing = space.unnotifiedOf(record);
        this.#verdict.check(
          missing === undefined,
          "I5",
          () => `record ${record.timestamp} of ${space.name} was settled: ${missing}`,
        );
      }
      space.setPending(record, record.pendingApply && apply, record.pendingNotify && notify);
    }
  }
}

function isPending({ from, to, listed }: Pending, timestamp: number): boolean {
  return (from < timestamp && timestamp <= to) || listed.includes(timestamp);
}

function bound(verdict: Verdict): Pick<Verdict, "check"> {
  return { check: (...args) => verdict.check(...args) };
}

function describeTransaction({ segment, firstSequence, lastSequence, operation, chunk }: LogTransaction): string {
  return `#${operation.number}${chunk > 0 ? `/${chunk}` : ""} as ${segment} ${firstSequence} to ${lastSequence}`;
}

function describeHead({ count, registered, unapplied, unnotified }: LogHead): string {
  const short = (timestamp: number): string => String(timestamp % 1_000_000);
  const list = ({ from, to, listed }: Pending): string =>
    [...(to > from ? [`after ${short(from)} to ${short(to)}`] : []), ...listed.map(short)].join(" ");
  return `n ${count}, ${registered ? "open" : "closed"}, to apply [${list(unapplied)}], to notify [${list(unnotified)}]`;
}

function countsOf(batches: readonly EntryBatch[]): { readonly entries: number; readonly bytes: number } {
  const entries = batches.flatMap((batch) => batch.entries);
  return { entries: entries.length, bytes: entries.reduce((sum, entry) => sum + contentBytes(entry), 0) };
}

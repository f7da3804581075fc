// What clients ask for, and each time they ask: a request (operation) may be asked several times (calls).
//
// Every record's payload says which operation it is of, so that whatever is stored can be traced to who asked for it.

import type { AppendRecord } from "../../src/core/entry.ts";
import { noMetadata } from "../../src/core/entry.ts";
import type { SegmentName, SpaceName, TransactionId } from "../../src/core/ids.ts";
import { derivedTransactionId } from "../../src/codec/transaction.ts";
import type { Ack, LeaseToken } from "../../src/store/store.ts";

export interface OperationPart {
  readonly segment: SegmentName;
  readonly count: number;
  /** Undefined: at the tail. */
  readonly firstSequence: number | undefined;
  /** The record whose sequence skips one, if any. */
  readonly gapAt: number | undefined;
  /** Bytes added to each payload. */
  readonly fillBytes: number;
  /** Where each chunk begins. */
  readonly chunkStarts: readonly number[];
}

export interface Operation {
  readonly number: number;
  /** The operation whose records these are: its own, or another's that it imitates. */
  readonly records: number;
  readonly space: SpaceName;
  /** Undefined: the caller gives none. */
  readonly id: TransactionId | undefined;
  readonly lease: LeaseToken | undefined;
  readonly parts: readonly OperationPart[];
  /** All parts in one commit. */
  readonly together: boolean;
  readonly calls: Call[];
}

/**
 * `open`: not answered. `unknown`: it may have happened or may still. `none`: answered so; what was not acknowledged
 * before must never happen. `committed`: answered so.
 */
export type CallState = "open" | "unknown" | "none" | "committed";

/** One time that an operation was asked for, at one instance. */
export interface Call {
  readonly number: number;
  readonly operation: Operation;
  /** The instance asked. */
  readonly instance: string;
  readonly ack: Ack;
  state: CallState;
  /** When it, or its present chunk, began, and when it was answered (virtual time). */
  beganAt: number;
  answeredAt: number | undefined;
  /** Chunks acknowledged. */
  acknowledged: number;
  /** How long each segment's log was when the call, or its present chunk, began. */
  lengths: ReadonlyMap<SegmentName, number>;
}

export function recordsOf(operation: Operation, partIndex: number): AppendRecord[] {
  const part = operation.parts[partIndex]!;
  const fill = "x".repeat(part.fillBytes);
  return Array.from({ length: part.count }, (_, index) => {
    const sequence = sequenceAt(part, index);
    return {
      payload: Buffer.from(`${textOf(operation, partIndex, index)}|${fill}`),
      metadata: noMetadata,
      ...(sequence === undefined ? {} : { sequence }),
    };
  });
}

/** The sequence that a part names for one of its records. */
export function sequenceAt(part: OperationPart, index: number): number | undefined {
  if (part.firstSequence === undefined) return undefined;
  const skipped = part.gapAt !== undefined && index >= part.gapAt ? 1 : 0;
  return part.firstSequence + index + skipped;
}

/** What a record's payload says about where it comes from. */
export function textOf(operation: Operation, partIndex: number, index: number): string {
  return `${operation.records}.${partIndex}.${index}`;
}

export interface Origin {
  readonly operation: number;
  readonly part: number;
  readonly index: number;
  readonly text: string;
}

export function originOf(payload: Uint8Array): Origin {
  const text = Buffer.from(payload.buffer, payload.byteOffset, Math.min(payload.byteLength, 40)).toString("latin1");
  const match = /^(\d+)\.(\d+)\.(\d+)\|/.exec(text);
  if (match === null) return { operation: -1, part: -1, index: -1, text };
  const [operation, part, index] = [Number(match[1]), Number(match[2]), Number(match[3])];
  return { operation, part, index, text: text.slice(0, text.indexOf("|")) };
}

/** The index of the chunk that begins with this record, or -1. */
export function chunkAt(part: OperationPart, index: number): number {
  return part.chunkStarts.indexOf(index);
}

export function chunkLength(part: OperationPart, chunk: number): number {
  return (part.chunkStarts[chunk + 1] ?? part.count) - (part.chunkStarts[chunk] ?? part.count);
}

export function chunkId(operation: Operation, chunk: number): TransactionId | undefined {
  return operation.id === undefined ? undefined : derivedTransactionId(operation.id, chunk);
}

export function describeOperation(operation: Operation): string {
  const parts = operation.parts.map((part) => {
    const where = part.firstSequence === undefined ? "tail" : `at ${part.firstSequence}`;
    const gap = part.gapAt === undefined ? "" : `, a gap before record ${part.gapAt}`;
    return `${part.count} to ${part.segment} ${where}${gap}`;
  });
  const id = operation.id === undefined ? "no id" : `id ${operation.id.slice(0, 8)}`;
  const lease = operation.lease === undefined ? "" : `, lease ${operation.lease.key} ${operation.lease.token}`;
  return `#${operation.number} (${id}${lease}) ${operation.space}: ${parts.join(" + ")}`;
}

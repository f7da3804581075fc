// A partition of a consumer at one moment, and the row that it is kept in: how far it has come, who holds it, what is
// outstanding.
//
// Promise: the row has all that a decision needs, and no payload: a claim that carries it can be written back without a
// read.

import { corruptData, readStored } from "../core/errors.ts";
import type { Cursor, SegmentName, SpaceName, WorkerName } from "../core/ids.ts";
import { parseSegmentName, parseWorkerName } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { hexKey, uint64, uuidPart } from "../codec/lexkey.ts";
import { parseCursor } from "../codec/cursor.ts";
import type { Properties, Row } from "../table/port.ts";
import { bytesIn, checkRowFormat, decoder, formatProperty, numberIn, textIn } from "../table/row-values.ts";
import type { Position } from "./position.ts";
import { decodePosition, encodePosition } from "./position.ts";

/** Entries that were delivered and are not acknowledged. */
export type Outstanding =
  | { readonly kind: "log"; readonly to: Position }
  /** Entries of a parked segment, up to one of its sequences. */
  | { readonly kind: "replay"; readonly space: number; readonly segment: SegmentName; readonly to: number };

/** The one entry that failed last, and was not acknowledged since. */
export interface Failing {
  readonly offset: Cursor;
  readonly count: number;
  readonly reason: string;
}

/** Places that were trimmed before their delivery; `toldIn`: the delivery that told the holder. */
export interface Gap {
  readonly from: Position;
  readonly to: Position;
  readonly toldIn: number;
}

export interface Partition {
  readonly position: Position;
  /** Grows with each holder; what an older one acknowledges is refused. */
  readonly token: number;
  /** Grows with each delivery, failure, release and holder: an acknowledgement of another number changes nothing. */
  readonly delivery: number;
  /** Undefined: nobody has it. */
  readonly holder: WorkerName | undefined;
  /** By the storage's time. */
  readonly expiresAt: number;
  /** The request that claimed it: its repeat is not taken for a restarted worker. */
  readonly claimedBy: string;
  readonly outstanding: Outstanding | undefined;
  readonly failing: Failing | undefined;
  /**
   * So many entries come one at a time: one of a delivery that nobody acknowledged may end the process that handles it.
   */
  readonly single: number;
  /** Failures without progress between them. */
  readonly streak: number;
  /** Nothing is delivered before; by the storage's time. */
  readonly notBefore: number;
  /** Another worker asks for it. */
  readonly wanted: { readonly by: WorkerName; readonly until: number } | undefined;
  readonly gap: Gap | undefined;
  /** Marks of parked entries, and the version of their set. */
  readonly marks: number;
  readonly marksVersion: number;
  readonly acknowledgedAt: number;
}

/** The consumer that a partition belongs to: a row of another life, generation or set of spaces is not its own. */
export interface PartitionOf {
  readonly life: string;
  readonly generation: number;
  readonly revision: number;
  readonly spaces: readonly SpaceName[];
}

export function newPartition(position: Position): Partition {
  return {
    position,
    token: 0,
    delivery: 0,
    holder: undefined,
    expiresAt: 0,
    claimedBy: "",
    outstanding: undefined,
    failing: undefined,
    single: 0,
    streak: 0,
    notBefore: 0,
    wanted: undefined,
    gap: undefined,
    marks: 0,
    marksVersion: 0,
    acknowledgedAt: 0,
  };
}

export const partitionRowKey = (life: string, number: number): string => hexKey("P", uuidPart(life), uint64(number));

const formatVersion = 1n;

export function encodePartition({ generation, revision }: PartitionOf, partition: Partition): Properties {
  const { outstanding, failing, wanted, gap } = partition;
  return {
    [formatProperty]: formatVersion,
    generation: BigInt(generation),
    revision: BigInt(revision),
    position: encodePosition(partition.position),
    token: BigInt(partition.token),
    delivery: BigInt(partition.delivery),
    ...(partition.holder === undefined ? {} : { holder: partition.holder }),
    expires: BigInt(partition.expiresAt),
    claimed: partition.claimedBy,
    ...outstandingProperties(outstanding),
    ...(failing === undefined
      ? {}
      : { failing: failing.offset, failures: BigInt(failing.count), reason: failing.reason }),
    single: BigInt(partition.single),
    streak: BigInt(partition.streak),
    notBefore: BigInt(partition.notBefore),
    ...(wanted === undefined ? {} : { wanted: wanted.by, wantedUntil: BigInt(wanted.until) }),
    ...(gap === undefined
      ? {}
      : { gapFrom: encodePosition(gap.from), gapTo: encodePosition(gap.to), gapTold: BigInt(gap.toldIn) }),
    marks: BigInt(partition.marks),
    marksVersion: BigInt(partition.marksVersion),
    acknowledged: BigInt(partition.acknowledgedAt),
  };
}

function outstandingProperties(outstanding: Outstanding | undefined): Properties {
  switch (outstanding?.kind) {
    case undefined:
      return {};
    case "log":
      return { out: "log", outTo: encodePosition(outstanding.to) };
    case "replay": {
      const { space, segment, to } = outstanding;
      return { out: "replay", outSpace: BigInt(space), outSegment: segment, outSequence: BigInt(to) };
    }
  }
}

/** The generation and the revision that a row was written under. */
export const versionOf = decoder((row): { readonly generation: number; readonly revision: number } => ({
  generation: numberIn(row, "generation", 1),
  revision: numberIn(row, "revision", 1),
}));

export const decodePartition = decoder((row, spaces: readonly SpaceName[]): Partition => {
  checkRowFormat(row, formatVersion, "a partition of a consumer");
  return {
    position: positionIn(row, "position", spaces),
    token: numberIn(row, "token"),
    delivery: numberIn(row, "delivery"),
    holder: has(row, "holder") ? workerIn(row, "holder") : undefined,
    expiresAt: numberIn(row, "expires"),
    claimedBy: textIn(row, "claimed"),
    outstanding: outstandingIn(row, spaces),
    failing: has(row, "failing")
      ? { offset: cursorIn(row, "failing"), count: numberIn(row, "failures", 1), reason: textIn(row, "reason") }
      : undefined,
    single: numberIn(row, "single"),
    streak: numberIn(row, "streak"),
    notBefore: numberIn(row, "notBefore"),
    wanted: has(row, "wanted") ? { by: workerIn(row, "wanted"), until: numberIn(row, "wantedUntil") } : undefined,
    gap: has(row, "gapTo")
      ? {
          from: positionIn(row, "gapFrom", spaces),
          to: positionIn(row, "gapTo", spaces),
          toldIn: numberIn(row, "gapTold"),
        }
      : undefined,
    marks: numberIn(row, "marks"),
    marksVersion: numberIn(row, "marksVersion"),
    acknowledgedAt: numberIn(row, "acknowledged"),
  };
});

function outstandingIn(row: Row, spaces: readonly SpaceName[]): Outstanding | undefined {
  if (!has(row, "out")) return undefined;
  switch (textIn(row, "out")) {
    case "log":
      return { kind: "log", to: positionIn(row, "outTo", spaces) };
    case "replay": {
      const segment = readStored("a segment that is replayed", () => parseSegmentName(textIn(row, "outSegment")));
      const space = numberIn(row, "outSpace", 0, limits.consumerSpacesMax - 1);
      return { kind: "replay", space, segment, to: numberIn(row, "outSequence", 1) };
    }
    default:
      throw corruptData("what is outstanding of a partition");
  }
}

function positionIn(row: Row, name: string, spaces: readonly SpaceName[]): Position {
  return readStored("a position of a consumer", () => decodePosition(bytesIn(row, name), spaces));
}

function cursorIn(row: Row, name: string): Cursor {
  const text = textIn(row, name);
  readStored("the entry that fails", () => parseCursor(text));
  return text as Cursor;
}

function workerIn(row: Row, name: string): WorkerName {
  return readStored("the worker of a partition", () => parseWorkerName(textIn(row, name)));
}

function has(row: Row, name: string): boolean {
  return row.properties[name] !== undefined;
}

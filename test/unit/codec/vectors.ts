// The golden vectors, with values of the reference as values of ours. Casts stand in for the parsers where a vector has
// what our domain forbids: it is encoded all the same, to compare the bytes.

import { readFileSync } from "node:fs";
import type { Entry, Metadata } from "../../../src/core/entry.ts";
import type { NodeId, SegmentName, SpaceName, TransactionId } from "../../../src/core/ids.ts";
import type { EntryBatch } from "../../../src/codec/transaction.ts";

interface TransactionJson {
  readonly id: string;
  readonly node: string;
  readonly number: string;
}

export interface EntryJson {
  readonly sequence: string;
  readonly timestamp: string;
  readonly trx: TransactionJson;
  readonly payload: string | null;
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly space: string;
  readonly segment: string;
}

export interface BatchJson {
  readonly trx: TransactionJson;
  readonly space: string;
  readonly segment: string;
  readonly firstSequence: string;
  readonly lastSequence: string;
  readonly timestamp: string;
  readonly entries: readonly EntryJson[];
}

export interface EntryVector {
  readonly name: string;
  readonly input: EntryJson;
  readonly decoded?: EntryJson;
  readonly hex: string;
  readonly zstdHex: string;
}

interface CodecVectors {
  readonly entries: readonly EntryVector[];
  readonly transactions: readonly {
    readonly name: string;
    readonly input: BatchJson;
    readonly hex: string;
    readonly zstdHex: string;
  }[];
  readonly multiKeyMetadata: {
    readonly input: EntryJson;
    readonly anyOfHex: readonly string[];
    readonly sortedKeysHex: string;
    readonly zstdHex: string;
  };
  readonly robustness: readonly {
    readonly name: string;
    readonly hex: string;
    readonly decoded: EntryJson;
    readonly error: string;
  }[];
}

interface LexkeyVectors {
  readonly vectors: readonly {
    readonly name: string;
    readonly fn: "Encode" | "EncodeFirst" | "EncodeLast";
    readonly parts: readonly { readonly t: string; readonly v: string; readonly utf8hex?: string }[];
    readonly hex: string;
  }[];
}

export const codecVectors = read("codec.json") as CodecVectors;
export const lexkeyVectors = (read("lexkey.json") as LexkeyVectors).vectors;

export function entryOf(json: EntryJson): Entry {
  return {
    sequence: Number(json.sequence),
    timestamp: Number(json.timestamp),
    trx: transactionOf(json.trx),
    payload: Uint8Array.from(Buffer.from(json.payload ?? "", "base64")),
    metadata: new Map(Object.entries(json.metadata ?? {})),
    space: json.space as SpaceName,
    segment: json.segment as SegmentName,
  };
}

export function batchOf(json: BatchJson): EntryBatch {
  return {
    trx: transactionOf(json.trx),
    space: json.space as SpaceName,
    segment: json.segment as SegmentName,
    firstSequence: Number(json.firstSequence),
    lastSequence: Number(json.lastSequence),
    timestamp: Number(json.timestamp),
    entries: json.entries.map(entryOf),
  };
}

/** Entries by value: payloads as hex, whatever kind of byte array holds them. */
export function plainEntry(entry: Entry): Record<string, unknown> {
  return { ...entry, payload: Buffer.from(entry.payload).toString("hex"), metadata: pairs(entry.metadata) };
}

export function plainBatch(batch: EntryBatch): Record<string, unknown> {
  return { ...batch, entries: batch.entries.map(plainEntry) };
}

function pairs(metadata: Metadata): readonly (readonly [string, string])[] {
  return [...metadata].sort(([a], [b]) => (a < b ? -1 : 1));
}

function transactionOf(json: TransactionJson): Entry["trx"] {
  return { id: json.id as TransactionId, node: json.node as NodeId, number: Number(json.number) };
}

function read(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../../fixtures/${name}`, import.meta.url), "utf8"));
}

// Records as callers write them in JSON and NDJSON, read one at a time, so that size costs time but neither memory nor
// other callers.

import * as z from "zod";

import type { AppendRecord, Metadata } from "../core/entry.ts";
import { checkedBytes, noMetadata, pairBytes } from "../core/entry.ts";
import { invalidArgument, recordTooLarge } from "../core/errors.ts";
import type { SegmentName } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { parseObject, fieldOf, parseWith, unknownMember } from "./parse.ts";
import { JsonPieces } from "./json-pieces.ts";
import { JsonSlice, parseSlice, splitObject } from "./json-text.ts";
import { segmentNameSchema } from "./names.ts";
import { decodePayload } from "./payload.ts";
import type { Encoding } from "./payload.ts";
import { wireLimits } from "./wire-limits.ts";

const quote = 0x22;
/** No key of ours is a tenth of it. */
const keyBytesMax = 1_024;
/** Each byte of a name written as six, and the quotes. */
const nameBytesMax = 6 * limits.segmentNameBytesMax + 2;

const slice = (expected: string) => z.instanceof(JsonSlice, { error: expected });

export const metadataSchema = z
  .record(z.string(), z.string())
  .meta({ description: "Strings beside the payload; any keys.", examples: [{ source: "web" }] });

/** A record whose payload and metadata are still as they were written. */
export const recordSchema = z
  .strictObject({
    sequence: z
      .int({ error: "an integer from 1 to 9007199254740991, in digits" })
      .min(1, { error: "an integer from 1 to 9007199254740991, in digits" })
      .optional()
      .meta({
        description: "1, 2, 3 ...: must continue the segment exactly. All records of a request have one, or none.",
      }),
    payload: slice("a payload").meta({
      description: "By `encoding`: base64 or text in a string; json: any JSON value.",
      examples: [{ item: "book", count: 1 }],
    }),
    metadata: slice("a JSON object")
      .optional()
      .meta({ type: "object", additionalProperties: { type: "string" } }),
  })
  .meta({ id: "ProduceRecord" });

export const produceBodySchema = z
  .strictObject({
    records: slice("an array of records").meta({
      type: "array",
      items: { $ref: "#/components/schemas/ProduceRecord" },
    }),
  })
  .meta({ examples: [{ records: [{ payload: { item: "book", count: 1 } }] }] });

export const produceAllBodySchema = z
  .strictObject({
    segments: slice("an array of segments").meta({
      type: "array",
      minItems: 1,
      maxItems: limits.produceAllSegmentsMax,
      items: {
        type: "object",
        properties: {
          segment: { type: "string", minLength: 1 },
          records: { type: "array", items: { $ref: "#/components/schemas/ProduceRecord" } },
        },
        required: ["segment", "records"],
        additionalProperties: false,
      },
    }),
  })
  .meta({ examples: [{ segments: [{ segment: "order-1", records: [{ payload: { item: "book" } }] }] }] });

/** The result of one step of reading a body: at most one record, and how many bytes the step looked at. */
export interface RecordStep {
  readonly record: AppendRecord | undefined;
  readonly bytes: number;
}

/**
 * The same, or that the records since the one before it are those of this segment; `field` is what errors call them.
 */
export interface TransactionStep extends RecordStep {
  readonly ended?: { readonly segment: SegmentName; readonly field: string };
}

/** The records of a produce body, step by step; nothing is read of a record before it is asked for. */
export function* parseProduceBody(
  pieces: readonly Uint8Array[],
  encoding: Encoding,
): Generator<RecordStep, void, undefined> {
  const json = new JsonPieces(pieces, "body");
  yield* space(json);
  yield* membersOf(json, "", ["records"], (key) => recordsOf(json, encoding, key));
  yield* endOf(json);
}

/** The same of a body of several segments. */
export function* parseProduceAllBody(
  pieces: readonly Uint8Array[],
  encoding: Encoding,
): Generator<TransactionStep, void, undefined> {
  const json = new JsonPieces(pieces, "body");
  yield* space(json);
  yield* membersOf(json, "", ["segments"], (key) => segmentsOf(json, encoding, key));
  yield* endOf(json);
}

/** An object whose members are these, each once. `member` reads the value of one. */
function* membersOf<Step extends RecordStep>(
  json: JsonPieces,
  at: string,
  names: readonly string[],
  member: (name: string) => Iterable<Step>,
): Generator<RecordStep | Step, void, undefined> {
  const field = fieldOf(at, []);
  const keys = new Set<string>();
  if (!json.skip("{")) throw json.unexpected("a JSON object", field);
  yield* space(json);
  for (let isFirst = true; !json.skip("}"); isFirst = false) {
    if (!isFirst) {
      if (!json.skip(",")) throw json.unexpected("a comma or the end of the object", field);
      yield* space(json);
    }
    const text = json.next === quote ? json.take(keyBytesMax) : "";
    if (text === "") throw json.unexpected("a key in quotes", field);
    const key = text === undefined ? "?" : (parseSlice(new JsonSlice(text), field) as string);
    if (!names.includes(key)) throw unknownMember(fieldOf(at, [key.slice(0, 100)]), names);
    if (keys.has(key)) throw invalidArgument(field, `every key once: ${JSON.stringify(key)} is there twice`);
    keys.add(key);
    yield* space(json);
    if (!json.skip(":")) throw json.unexpected("a colon", field);
    yield* space(json);
    yield* member(key);
    yield* space(json);
  }
  const missing = names.find((name) => !keys.has(name));
  if (missing !== undefined)
    throw invalidArgument(fieldOf(at, [missing]), `${memberKinds[missing]}, but it is missing`);
}

/** The kinds of the members of bodies, as errors name them. */
const memberKinds: Readonly<Record<string, string>> = {
  records: "an array of records",
  segments: "an array of segments",
  segment: "the name of a segment",
};

function* endOf(json: JsonPieces): Generator<RecordStep, void, undefined> {
  yield* space(json);
  if (json.next >= 0) throw json.unexpected("nothing after the end of the value");
}

/** The elements of an array, each read by `element`. */
function* elementsOf<Step extends RecordStep>(
  json: JsonPieces,
  field: string,
  element: (index: number) => Iterable<Step>,
): Generator<RecordStep | Step, void, undefined> {
  if (!json.skip("[")) throw json.unexpected("a JSON array", field);
  yield* space(json);
  for (let index = 0; !json.skip("]"); index += 1) {
    if (index > 0) {
      if (!json.skip(",")) throw json.unexpected("a comma or the end of the array", field);
      yield* space(json);
    }
    yield* element(index);
    yield* space(json);
  }
}

function recordsOf(json: JsonPieces, encoding: Encoding, field: string): Generator<RecordStep, void, undefined> {
  return elementsOf(json, field, function* (index) {
    const name = `${field}[${index}]`;
    const text = json.take(wireLimits.recordCharactersMax);
    if (text === undefined) throw recordTooLarge(name);
    yield { record: parseRecord(text, encoding, name), bytes: json.takeLooked() };
  });
}

function* segmentsOf(json: JsonPieces, encoding: Encoding, field: string): Generator<TransactionStep, void, undefined> {
  const seen = new Set<string>();
  yield* elementsOf<TransactionStep>(json, field, function* (index) {
    if (index === limits.produceAllSegmentsMax) {
      throw invalidArgument(field, `at most ${limits.produceAllSegmentsMax} segments`);
    }
    const name = `${field}[${index}]`;
    let segment: SegmentName | undefined;
    yield* membersOf(json, name, ["segment", "records"], function* (key) {
      const member = `${name}.${key}`;
      if (key === "records") {
        yield* recordsOf(json, encoding, member);
        return;
      }
      const text = json.take(nameBytesMax);
      segment = parseWith(segmentNameSchema, text === undefined ? "" : parseSlice(new JsonSlice(text), member), member);
      if (seen.has(segment)) throw invalidArgument(member, "every segment once", segment);
      seen.add(segment);
      yield { record: undefined, bytes: json.takeLooked() };
    });
    if (segment !== undefined)
      yield { record: undefined, bytes: json.takeLooked(), ended: { segment, field: `${name}.records` } };
  });
  if (seen.size === 0) throw invalidArgument(field, "at least one segment");
}

/** Past white space: much of it is a step of its own. */
function* space(json: JsonPieces): Generator<RecordStep, void, undefined> {
  while (!json.skipSpace(wireLimits.turnBytesMax)) yield { record: undefined, bytes: json.takeLooked() };
}

/** One record; `field` names it in errors. */
export function parseRecord(text: string, encoding: Encoding, field: string): AppendRecord {
  if (text.length > wireLimits.recordCharactersMax) throw recordTooLarge(field);
  const raw = plainMembers(text, field) ?? parseObject(recordSchema, text, field, ["payload", "metadata"]);
  const payload = decodePayload(raw.payload, encoding, `${field}.payload`);
  const metadata = raw.metadata === undefined ? noMetadata : parseMetadata(raw.metadata, field);
  const record = raw.sequence === undefined ? { payload, metadata } : { sequence: raw.sequence, payload, metadata };
  checkedBytes(record, field);
  return record;
}

/**
 * The members of a record that has no others than these, as most have; undefined: it is to be looked at more closely.
 */
function plainMembers(
  text: string,
  field: string,
): { readonly payload: JsonSlice; readonly metadata?: JsonSlice; readonly sequence?: undefined } | undefined {
  let payload: JsonSlice | undefined;
  let metadata: JsonSlice | undefined;
  for (const [key, slice] of splitObject(text, field)) {
    if (key === "payload") payload = slice;
    else if (key === "metadata") metadata = slice;
    else return undefined;
  }
  if (payload === undefined) return undefined;
  return metadata === undefined ? { payload } : { payload, metadata };
}

/** `record` names it in errors. No more is read than a record may have. */
export function parseMetadata(text: JsonSlice, record: string): Metadata {
  const field = `${record}.metadata`;
  const metadata = new Map<string, string>();
  let bytes = 0;
  for (const [key, raw] of splitObject(text.text, field)) {
    const value = parseSlice(raw, field);
    if (typeof value !== "string") {
      throw invalidArgument(field, `strings only: ${JSON.stringify(key.slice(0, 100))} is none`);
    }
    if (!key.isWellFormed() || !value.isWellFormed()) {
      throw invalidArgument(field, "well-formed Unicode, without lone surrogates");
    }
    bytes += pairBytes(key, value);
    if (bytes > limits.recordBytesMax) throw recordTooLarge(record);
    metadata.set(key, value);
  }
  return metadata;
}

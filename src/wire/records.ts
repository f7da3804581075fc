// Records as callers write them in JSON and NDJSON, read one at a time, so that size costs time but neither memory nor other callers.

import * as z from "zod";

import type { AppendRecord, Metadata } from "../core/entry.ts";
import { checkedBytes, noMetadata, pairBytes } from "../core/entry.ts";
import { invalidArgument, recordTooLarge } from "../core/errors.ts";
import type { SegmentName } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { parseObject } from "./json-object.ts";
import { JsonPieces } from "./json-pieces.ts";
import { JsonSlice, parseSlice, splitArray, splitObject } from "./json-text.ts";
import { segmentNameSchema } from "./names.ts";
import { decodePayload } from "./payload.ts";
import { unknownMember } from "./parse.ts";
import type { Encoding } from "./payload.ts";
import { wireLimits } from "./wire-limits.ts";

const quote = 0x22;
/** No key of ours is a tenth of it. */
const keyBytesMax = 1_024;

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

const segmentRecordsSchema = z.strictObject({
  segment: segmentNameSchema,
  records: slice("an array of records").meta({ type: "array", items: { $ref: "#/components/schemas/ProduceRecord" } }),
});

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

/** What one step of reading a body came to: at most a record, and how many bytes were looked at for it. */
export interface RecordStep {
  readonly record: AppendRecord | undefined;
  readonly bytes: number;
}

/** The records of a produce body, step by step; nothing is read of a record before it is asked for. */
export function* parseProduceBody(
  pieces: readonly Uint8Array[],
  encoding: Encoding,
): Generator<RecordStep, void, undefined> {
  const json = new JsonPieces(pieces, "body");
  const keys = new Set<string>();
  yield* space(json);
  if (!json.skip("{")) throw json.unexpected("a JSON object");
  yield* space(json);
  for (let isFirst = true; !json.skip("}"); isFirst = false) {
    if (!isFirst) {
      if (!json.skip(",")) throw json.unexpected("a comma or the end of the object");
      yield* space(json);
    }
    const text = json.next === quote ? json.take(keyBytesMax) : "";
    if (text === "") throw json.unexpected("a key in quotes");
    const key = text === undefined ? "?" : (parseSlice(new JsonSlice(text), "body") as string);
    if (!Object.hasOwn(produceBodySchema.shape, key)) {
      throw unknownMember(key.slice(0, 100), Object.keys(produceBodySchema.shape));
    }
    if (keys.has(key)) throw invalidArgument("body", `every key once: ${JSON.stringify(key)} is there twice`);
    keys.add(key);
    yield* space(json);
    if (!json.skip(":")) throw json.unexpected("a colon");
    yield* space(json);
    yield* recordsOf(json, encoding, key);
    yield* space(json);
  }
  yield* space(json);
  if (json.next >= 0) throw json.unexpected("nothing after the end of the value");
  if (!keys.has("records")) throw invalidArgument("records", "an array of records, but it is missing");
}

function* recordsOf(json: JsonPieces, encoding: Encoding, field: string): Generator<RecordStep, void, undefined> {
  if (!json.skip("[")) throw json.unexpected("a JSON array", field);
  yield* space(json);
  for (let index = 0; !json.skip("]"); index += 1) {
    if (index > 0) {
      if (!json.skip(",")) throw json.unexpected("a comma or the end of the array", field);
      yield* space(json);
    }
    const name = `${field}[${index}]`;
    const from = json.position;
    const text = json.take(wireLimits.recordCharactersMax);
    if (text === undefined) throw recordTooLarge(name);
    yield { record: parseRecord(text, encoding, name), bytes: json.position - from };
    yield* space(json);
  }
}

/** Past white space: much of it is a step of its own. */
function* space(json: JsonPieces): Generator<RecordStep, void, undefined> {
  while (!json.skipSpace(wireLimits.turnBytesMax)) yield { record: undefined, bytes: wireLimits.turnBytesMax };
}

export interface SegmentRecordsText {
  readonly segment: SegmentName;
  /** What errors call its records. */
  readonly field: string;
  readonly records: () => Generator<RecordStep, void, undefined>;
}

export function parseProduceAllBody(text: string, encoding: Encoding): readonly SegmentRecordsText[] {
  const { segments } = parseObject(produceAllBodySchema, text, "", ["segments"]);
  const parsed: SegmentRecordsText[] = [];
  const seen = new Set<string>();
  for (const element of splitArray(segments.text, "segments")) {
    const field = `segments[${parsed.length}]`;
    if (parsed.length === limits.produceAllSegmentsMax) {
      throw invalidArgument("segments", `at most ${limits.produceAllSegmentsMax} segments`);
    }
    const { segment, records } = parseObject(segmentRecordsSchema, element.text, field, ["records"]);
    if (seen.has(segment)) throw invalidArgument(`${field}.segment`, "every segment once", segment);
    seen.add(segment);
    const name = `${field}.records`;
    parsed.push({ segment, field: name, records: () => parseRecords(records, encoding, name) });
  }
  if (parsed.length === 0) throw invalidArgument("segments", "at least one segment");
  return parsed;
}

/** One record; `field` names it in errors. */
export function parseRecord(text: string, encoding: Encoding, field: string): AppendRecord {
  if (text.length > wireLimits.recordCharactersMax) throw recordTooLarge(field);
  const raw = parseObject(recordSchema, text, field, ["payload", "metadata"]);
  const payload = decodePayload(raw.payload, encoding, `${field}.payload`);
  const metadata = raw.metadata === undefined ? noMetadata : parseMetadata(raw.metadata, field);
  const record = raw.sequence === undefined ? { payload, metadata } : { sequence: raw.sequence, payload, metadata };
  checkedBytes(record, field);
  return record;
}

function* parseRecords(records: JsonSlice, encoding: Encoding, field: string): Generator<RecordStep, void, undefined> {
  let index = 0;
  for (const element of splitArray(records.text, field)) {
    yield { record: parseRecord(element.text, encoding, `${field}[${index}]`), bytes: element.text.length };
    index += 1;
  }
}

/** `record` names it in errors. No more is read than a record may have. */
function parseMetadata(text: JsonSlice, record: string): Metadata {
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

// Records as callers write them in JSON and NDJSON, read one at a time, so that size costs time but neither memory nor other callers.

import * as z from "zod";

import type { AppendRecord, Metadata } from "../core/entry.ts";
import { checkedBytes, noMetadata, pairBytes } from "../core/entry.ts";
import { invalidArgument, recordTooLarge } from "../core/errors.ts";
import type { SegmentName } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import { parseObject } from "./json-object.ts";
import { JsonSlice, parseSlice, splitArray, splitObject } from "./json-text.ts";
import { segmentNameSchema } from "./names.ts";
import { decodePayload } from "./payload.ts";
import type { Encoding } from "./payload.ts";
import { wireLimits } from "./wire-limits.ts";

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
  .meta({ id: "Record" });

export const produceBodySchema = z
  .strictObject({
    records: slice("an array of records").meta({ type: "array", items: { $ref: "#/components/schemas/Record" } }),
  })
  .meta({ examples: [{ records: [{ payload: { item: "book", count: 1 } }] }] });

const segmentRecordsSchema = z.strictObject({
  segment: segmentNameSchema,
  records: slice("an array of records").meta({ type: "array", items: { $ref: "#/components/schemas/Record" } }),
});

export const produceAllBodySchema = z
  .strictObject({
    segments: slice("an array of segments").meta({
      type: "array",
      maxItems: limits.produceAllSegmentsMax,
      items: {
        type: "object",
        properties: {
          segment: { type: "string", minLength: 1 },
          records: { type: "array", items: { $ref: "#/components/schemas/Record" } },
        },
        required: ["segment", "records"],
        additionalProperties: false,
      },
    }),
  })
  .meta({ examples: [{ segments: [{ segment: "order-1", records: [{ payload: { item: "book" } }] }] }] });

/** The records of a produce body; nothing is read of a record before it is asked for. */
export function* parseProduceBody(text: string, encoding: Encoding): Generator<AppendRecord, void, undefined> {
  const { records } = parseObject(produceBodySchema, text, "", ["records"]);
  yield* parseRecords(records, encoding, "records");
}

export interface SegmentRecordsText {
  readonly segment: SegmentName;
  /** What errors call its records. */
  readonly field: string;
  readonly records: () => Generator<AppendRecord, void, undefined>;
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

function* parseRecords(
  records: JsonSlice,
  encoding: Encoding,
  field: string,
): Generator<AppendRecord, void, undefined> {
  let index = 0;
  for (const element of splitArray(records.text, field)) {
    yield parseRecord(element.text, encoding, `${field}[${index}]`);
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

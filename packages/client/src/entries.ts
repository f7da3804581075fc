// Records and entries, and both as the service has them in JSON.

import type { Codec } from "./codecs.ts";
import { fromBase64, toBase64 } from "./base64.ts";
import { StreamkitError } from "./errors.ts";

/** A record: what you write. */
export interface StreamRecord<T> {
  readonly payload: T;
  /** Strings beside the payload. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** An entry: what you read, a record with its place. */
export interface Entry<T> {
  /** 1, 2, 3 ... in its segment, without gaps. */
  readonly sequence: number;
  /** Milliseconds since 1970; grows from commit to commit of a space. */
  readonly timestamp: number;
  readonly transaction: Transaction;
  readonly payload: T;
  readonly metadata: Readonly<Record<string, string>>;
  readonly space: string;
  readonly segment: string;
  /** Its place in its space: a reader of the space that keeps it goes on after this entry. */
  readonly offset: string;
  /**
   * Somebody has removed what was in it: `metadata` is empty, and `payload` what the codec makes of no bytes, if it
   * can.
   */
  readonly redacted?: true;
}

/** The transaction that committed the entry: all entries of an append, up to 1,000 or 768 KiB, exist or none. */
export interface Transaction {
  readonly id: string;
  /** The instance of the service that committed it. */
  readonly node: string;
  /** 1, 2, 3 ... in the segment. */
  readonly number: number;
}

/** Where a segment begins and ends; zeros when it never had an entry. */
export interface SegmentStatus {
  readonly space: string;
  readonly segment: string;
  readonly firstSequence: number;
  readonly firstTimestamp: number;
  readonly lastSequence: number;
  readonly lastTimestamp: number;
}

/** How the payloads of a request look: as JSON or text when all are that, else in base64. */
export type Encoding = "json" | "text" | "base64";

export function encodingOf<T>(codec: Codec<T>): Encoding {
  return codec.encoding ?? "base64";
}

/** The text of a record. JSON is put in as it is, never parsed and written again. */
export function recordText<T>({ payload, metadata }: StreamRecord<T>, codec: Codec<T>, encoding: Encoding): string {
  const encoded = codec.encode(payload);
  const value =
    typeof encoded === "string" && encoding === "json" ? encoded : JSON.stringify(payloadText(encoded, encoding));
  return metadata === undefined
    ? `{"payload":${value}}`
    : `{"payload":${value},"metadata":${JSON.stringify(metadata)}}`;
}

const utf8 = new TextEncoder();

function payloadText(encoded: Uint8Array<ArrayBuffer> | string, encoding: Encoding): string {
  if (encoding === "base64") return toBase64(typeof encoded === "string" ? utf8.encode(encoded) : encoded);
  if (typeof encoded === "string") return encoded;
  throw new StreamkitError(
    "invalid_argument",
    `codec: expected encode to give a string, since its encoding is ${encoding}.`,
  );
}

/** An entry in JSON, with its payload in base64. */
export interface EntryJson {
  readonly sequence: number;
  readonly timestamp: number;
  readonly trx: Transaction;
  readonly payload: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly space: string;
  readonly segment: string;
  readonly offset: string;
  readonly redacted?: true;
}

export function entryOf<T>(line: EntryJson, codec: Codec<T>): Entry<T> {
  const { sequence, timestamp, trx, metadata = {}, space, segment, offset } = line;
  const place = { sequence, timestamp, transaction: trx, metadata, space, segment, offset };
  if (line.redacted === true) return { ...place, payload: ofNothing(codec) as T, redacted: true };
  return { ...place, payload: decoded(fromBase64(line.payload), codec, { space, segment, sequence }) };
}

function ofNothing<T>(codec: Codec<T>): T | undefined {
  try {
    return codec.decode(new Uint8Array());
  } catch {
    return undefined;
  }
}

/** Decodes a payload; throws an error that says where it is if the codec does not take it. */
export function decoded<T>(
  payload: Uint8Array,
  codec: Codec<T>,
  place: { readonly space: string; readonly segment: string; readonly sequence: number },
): T {
  try {
    return codec.decode(payload);
  } catch (cause) {
    const { space, segment, sequence } = place;
    throw new StreamkitError(
      "undecodable_payload",
      `The payload of entry ${sequence} of segment ${JSON.stringify(segment)} in space ${JSON.stringify(space)} is not what the codec expects.`,
      { cause, details: { space, segment, sequence } },
    );
  }
}

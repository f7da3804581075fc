// Entries and statuses as callers read them. Text is put together by hand: it is the most frequent thing this project
// does.

import * as z from "zod";

import { CursorWriter } from "../codec/cursor.ts";
import type { Entry, Metadata, SegmentStatus, Transaction } from "../core/entry.ts";
import type { SegmentName, SpaceName } from "../core/ids.ts";
import { metadataSchema } from "./records.ts";
import { asOneLine } from "./json-text.ts";
import { payloadMembers } from "./payload.ts";
import { entryFields } from "./entry-form.ts";
import type { EntryField, EntryForm } from "./entry-form.ts";
import type { Encoding } from "./payload.ts";

export const transactionSchema = z
  .object({
    id: z.string().meta({ format: "uuid" }),
    node: z.string().meta({ format: "uuid", description: "The instance that committed it." }),
    number: z.int().min(0).meta({ description: "1, 2, 3 ... per segment." }),
  })
  .meta({ id: "Transaction" });

export const entrySchema = z
  .object({
    sequence: z.int().min(0).meta({ description: "1, 2, 3 ... per segment, without gaps." }),
    timestamp: z.int().min(0).meta({ description: "Milliseconds since 1970; grows from commit to commit of a space." }),
    trx: transactionSchema,
    payload: z.unknown().meta({ description: "By `encoding`." }),
    encoding: z
      .literal("base64")
      .optional()
      .meta({ description: "There when the payload cannot be shown as asked for." }),
    redacted: z
      .literal(true)
      .optional()
      .meta({ description: "Payload and metadata were removed for good: there is nothing of them any more." }),
    metadata: metadataSchema.optional(),
    space: z.string(),
    segment: z.string(),
    offset: z.string().meta({ description: "The entry's place in its space: where to go on after it." }),
  })
  .meta({ id: "Entry" });

/** One shape, whether there is an entry or not. */
export const lastEntrySchema = entrySchema.partial().required({ space: true, segment: true, sequence: true }).meta({
  id: "LastEntry",
  description: "The last entry; of a segment without entries sequence 0, and no more than the names.",
});

export const statusSchema = z
  .object({
    space: z.string(),
    segment: z.string(),
    firstSequence: z.int().min(0),
    firstTimestamp: z.int().min(0),
    lastSequence: z.int().min(0),
    lastTimestamp: z.int().min(0),
  })
  .meta({ id: "SegmentStatus", description: "Where a segment begins and ends; zeros when it has no entries." });

export const committedTransactionSchema = z
  .object({
    id: z.string().meta({ format: "uuid" }),
    number: z.int().min(0),
    firstSequence: z.int().min(0),
    lastSequence: z.int().min(0),
    offset: z.string().meta({ description: "The place of its last entry in the space: where to go on after it." }),
    duplicate: z.boolean().meta({ description: "It had been committed before; nothing was written now." }),
  })
  .meta({ id: "CommittedTransaction" });

/**
 * Writes entries as JSON, one after the other. `oneLine` where a line is the frame: NDJSON and server-sent events. What
 * neighbours have in common, of their transaction and of their place, is written once.
 */
export class EntryWriter {
  readonly #encoding: Encoding;
  readonly #fields: readonly EntryField[] | undefined;
  readonly #oneLine: boolean;
  readonly #cursors = new CursorWriter();
  #trx: Transaction | undefined;
  #trxText = "";
  #space: SpaceName | undefined;
  #segment: SegmentName | undefined;
  #spaceText = "";
  #segmentText = "";

  constructor({ encoding, fields }: EntryForm, oneLine: boolean) {
    this.#encoding = encoding;
    // In the order of the whole entry, whatever the order that they were asked for in.
    this.#fields = fields === undefined ? undefined : entryFields.filter((field) => fields.has(field));
    this.#oneLine = oneLine;
  }

  text(entry: Entry): string {
    this.#begin(entry);
    const fields = this.#fields;
    if (fields !== undefined) {
      const members = fields.map((field) => this.#member(entry, field)).filter((member) => member !== "");
      return `{${members.join(",")}}`;
    }
    const { metadata, sequence, timestamp } = entry;
    const more = metadata.size === 0 ? "" : `,${this.#metadata(metadata)}`;
    return (
      `{"sequence":${sequence},"timestamp":${timestamp},${this.#trxText},` +
      `${this.#payload(entry)}${more},` +
      `${this.#spaceText},${this.#segmentText},"offset":"${this.#cursors.text(entry)}"}`
    );
  }

  #begin({ segment, space, trx }: Entry): void {
    if (trx !== this.#trx) {
      this.#trxText = `"trx":{"id":"${trx.id}","node":"${trx.node}","number":${trx.number}}`;
      this.#trx = trx;
    }
    if (space !== this.#space) this.#spaceText = this.#framed(`"space":${JSON.stringify(space)}`);
    if (segment !== this.#segment) this.#segmentText = this.#framed(`"segment":${JSON.stringify(segment)}`);
    this.#space = space;
    this.#segment = segment;
  }

  /** Empty where the entry has none. */
  #member(entry: Entry, field: EntryField): string {
    switch (field) {
      case "sequence":
        return `"sequence":${entry.sequence}`;
      case "timestamp":
        return `"timestamp":${entry.timestamp}`;
      case "trx":
        return this.#trxText;
      case "payload":
        return this.#payload(entry);
      case "metadata":
        return entry.metadata.size === 0 ? "" : this.#metadata(entry.metadata);
      case "space":
        return this.#spaceText;
      case "segment":
        return this.#segmentText;
      case "offset":
        return `"offset":"${this.#cursors.text(entry)}"`;
    }
  }

  #payload({ payload, redacted }: Entry): string {
    const members = payloadMembers(payload, this.#encoding, this.#oneLine);
    return redacted === true ? `${members},"redacted":true` : members;
  }

  /** From the map and by hand: a key may be `__proto__`. */
  #metadata(metadata: Metadata): string {
    const pairs: string[] = [];
    for (const [key, value] of metadata) pairs.push(`${JSON.stringify(key)}:${JSON.stringify(value)}`);
    return this.#framed(`"metadata":{${pairs.join(",")}}`);
  }

  #framed(json: string): string {
    return this.#oneLine ? asOneLine(json) : json;
  }
}

export function emptyEntryText(space: SpaceName, segment: SegmentName, { fields }: EntryForm): string {
  const members = Object.entries({ space, segment, sequence: 0 });
  return JSON.stringify(Object.fromEntries(members.filter(([name]) => fields?.has(name as EntryField) ?? true)));
}

export function statusText(status: SegmentStatus): string {
  const { space, segment, firstSequence, firstTimestamp, lastSequence, lastTimestamp } = status;
  return JSON.stringify({ space, segment, firstSequence, firstTimestamp, lastSequence, lastTimestamp });
}

// Entries and statuses as callers read them. Text is put together by hand: it is the most frequent thing this project does.

import * as z from "zod";

import { encodeCursor } from "../codec/cursor.ts";
import type { Entry, SegmentStatus } from "../core/entry.ts";
import type { SegmentName, SpaceName } from "../core/ids.ts";
import { metadataSchema } from "./records.ts";
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

/** An entry as JSON. `oneLine` where a line is the frame: NDJSON and server-sent events. */
export function entryText(entry: Entry, { encoding, fields }: EntryForm, oneLine: boolean): string {
  if (fields !== undefined) return `{${membersOf(entry, encoding, fields, oneLine).join(",")}}`;
  const { trx } = entry;
  return (
    `{"sequence":${entry.sequence},"timestamp":${entry.timestamp},` +
    `"trx":{"id":"${trx.id}","node":"${trx.node}","number":${trx.number}},` +
    `${payloadMembers(entry.payload, encoding, oneLine)}${metadataMember(entry)},` +
    `"space":${JSON.stringify(entry.space)},"segment":${JSON.stringify(entry.segment)},"offset":"${encodeCursor(entry)}"}`
  );
}

/** In the order of the whole entry, whatever the order that they were asked for in. */
function membersOf(
  entry: Entry,
  encoding: Encoding,
  fields: ReadonlySet<EntryField>,
  oneLine: boolean,
): readonly string[] {
  const { id, node, number } = entry.trx;
  const texts: Readonly<Record<EntryField, () => string>> = {
    sequence: () => `"sequence":${entry.sequence}`,
    timestamp: () => `"timestamp":${entry.timestamp}`,
    trx: () => `"trx":{"id":"${id}","node":"${node}","number":${number}}`,
    payload: () => payloadMembers(entry.payload, encoding, oneLine),
    metadata: () => metadataMember(entry).slice(1),
    space: () => `"space":${JSON.stringify(entry.space)}`,
    segment: () => `"segment":${JSON.stringify(entry.segment)}`,
    offset: () => `"offset":"${encodeCursor(entry)}"`,
  };
  return entryFields.flatMap((field) => (fields.has(field) ? texts[field]() || [] : []));
}

export function emptyEntryText(space: SpaceName, segment: SegmentName, { fields }: EntryForm): string {
  const members = Object.entries({ space, segment, sequence: 0 });
  return JSON.stringify(Object.fromEntries(members.filter(([name]) => fields?.has(name as EntryField) ?? true)));
}

export function statusText(status: SegmentStatus): string {
  const { space, segment, firstSequence, firstTimestamp, lastSequence, lastTimestamp } = status;
  return JSON.stringify({ space, segment, firstSequence, firstTimestamp, lastSequence, lastTimestamp });
}

/** From the map and by hand: a key may be `__proto__`. */
function metadataMember(entry: Entry): string {
  if (entry.metadata.size === 0) return "";
  const pairs: string[] = [];
  for (const [key, value] of entry.metadata) pairs.push(`${JSON.stringify(key)}:${JSON.stringify(value)}`);
  return `,"metadata":{${pairs.join(",")}}`;
}

// Records and entries as JSON, from the client's side; payloads in base64.

import type { AppendRecord, Entry } from "../../../src/core/entry.ts";

export function recordJson({ sequence, payload, metadata }: AppendRecord): object {
  return {
    ...(sequence === undefined ? {} : { sequence }),
    payload: Buffer.from(payload).toString("base64"),
    // Members of their own, whatever they are called.
    ...(metadata.size === 0 ? {} : { metadata: Object.fromEntries(metadata) }),
  };
}

/** A line of a backup. */
export function restoredJson({ segment, sequence, timestamp, trx, ...content }: Entry): object {
  return { segment, sequence, timestamp, trx, ...recordJson(content) };
}

type EntryJson = Omit<Entry, "payload" | "metadata"> & {
  readonly payload: string;
  readonly metadata?: Record<string, string>;
};

export function entryOf(line: unknown): Entry {
  const { sequence, timestamp, trx, payload, metadata, space, segment, redacted } = line as EntryJson;
  return {
    sequence,
    timestamp,
    trx,
    payload: Buffer.from(payload, "base64"),
    metadata: new Map(Object.entries(metadata ?? {})),
    space,
    segment,
    ...(redacted === undefined ? {} : { redacted }),
  };
}

/** Peek answers sequence 0 for an empty segment. */
export function entryOrNone(answer: unknown): Entry | undefined {
  return (answer as { readonly sequence: number }).sequence === 0 ? undefined : entryOf(answer);
}

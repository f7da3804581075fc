// A backup: a file of lines of JSON. The first says what it is of, each other is an entry, the last has their number
// and digests.
//
// Promise: a file without its last line is unfinished, and is gone on with; one whose digest does not fit is refused.
// Bounded memory.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { Entry } from "streamkit-client";
import { CommandFailure } from "./failures.ts";
import { entryLine, payloadOf } from "./payloads.ts";

/** The object of a backup: a segment, a space, or a store with all its spaces. */
export interface Scope {
  readonly store: string;
  readonly space?: string | undefined;
  readonly segment?: string | undefined;
}

export interface Digests {
  readonly entries: number;
  /** Digest of everything in the entries. */
  readonly digest: string;
  /** Digest of what an append can write again: the entries' places and contents. */
  readonly contentDigest: string;
}

export type BackupLine =
  | { readonly kind: "header"; readonly scope: Scope }
  | { readonly kind: "entry"; readonly entry: Entry<Uint8Array> }
  | { readonly kind: "end"; readonly digests: Digests };

/** With the place in the file behind the line, in bytes. */
export type Located = BackupLine & { readonly end: number };

const mark = "streamkit-backup";
const format = 1;

/** Takes entries in the order of the file. */
export class Tally {
  readonly #all = createHash("sha256");
  readonly #content = createHash("sha256");
  #entries = 0;

  add({ space, segment, sequence, timestamp, offset, transaction, metadata, payload }: Entry<Uint8Array>): void {
    const bytes = Buffer.from(payload).toString("base64");
    const content = [space, segment, sequence, Object.entries(metadata).sort(), bytes];
    const { id, node, number } = transaction;
    this.#content.update(`${JSON.stringify(content)}\n`);
    this.#all.update(`${JSON.stringify([...content, timestamp, offset, id, node, number])}\n`);
    this.#entries += 1;
  }

  get entries(): number {
    return this.#entries;
  }

  /** The digest of all entries so far; more may be added after it. */
  digests(): Digests {
    return {
      entries: this.#entries,
      digest: this.#all.copy().digest("hex"),
      contentDigest: this.#content.copy().digest("hex"),
    };
  }
}

export function headerText({ store, space, segment }: Scope): string {
  return `${JSON.stringify({ [mark]: format, store, space, segment })}\n`;
}

export function entryText(entry: Entry<Uint8Array>): string {
  return `${JSON.stringify(entryLine(entry))}\n`;
}

export function endText(digests: Digests): string {
  return `${JSON.stringify({ end: true, ...digests })}\n`;
}

/** Leaves out a last line that was cut in the middle. Rejects if a line is not one of a backup. */
export async function* readBackup(path: string): AsyncGenerator<Located, void, undefined> {
  let number = 0;
  for await (const { text, end } of wholeLines(path)) {
    number += 1;
    const line = parseLine(text, number === 1);
    if (line === undefined) throw new CommandFailure(`Line ${number} of ${path} is none of a backup.`);
    yield { ...line, end };
  }
}

function parseLine(text: string, isFirst: boolean): BackupLine | undefined {
  let fields: Readonly<Record<string, unknown>>;
  try {
    fields = JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
  if (isFirst) return fields[mark] === format ? { kind: "header", scope: fields as unknown as Scope } : undefined;
  if (fields["end"] === true) return { kind: "end", digests: fields as unknown as Digests };
  const payload = payloadOf(fields);
  if (typeof fields["sequence"] !== "number" || payload === undefined) return undefined;
  const { space, segment, sequence, timestamp, offset, transaction, metadata } = fields as unknown as Entry<unknown>;
  const place = { space, segment, sequence, timestamp, offset };
  return { kind: "entry", entry: { ...place, transaction, metadata, payload } };
}

async function* wholeLines(
  path: string,
): AsyncGenerator<{ readonly text: string; readonly end: number }, void, undefined> {
  let rest: Buffer = Buffer.alloc(0);
  let at = 0;
  for await (const piece of createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
    const data = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    let from = 0;
    for (let to = data.indexOf(10); to >= 0; to = data.indexOf(10, from)) {
      yield { text: data.toString("utf8", from, to), end: at + to + 1 };
      from = to + 1;
    }
    rest = data.subarray(from);
    at += from;
  }
}

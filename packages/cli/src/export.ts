// Writes a backup: a segment, a space, or all spaces of a store one after the other.
//
// Promise: interrupted, it goes on behind the last whole line; finished, the file says how many entries it has and
// their digests. What is appended meanwhile is in it up to where the reading of its space ended.

import { existsSync } from "node:fs";
import { open, truncate } from "node:fs/promises";
import type { Entry, StoreClient } from "streamkit-client";
import { bytes } from "streamkit-client";
import { endText, entryText, headerText, readBackup, Tally } from "./backup-file.ts";
import type { Digests, Scope } from "./backup-file.ts";
import { UsageError } from "./failures.ts";
import { all } from "./lines.ts";

export interface ExportOptions {
  readonly store: StoreClient;
  readonly scope: Scope;
  readonly path: string;
  readonly abortSignal: AbortSignal;
  readonly onEntries: (count: number) => void;
}

export interface Exported extends Digests {
  /** How many of these were in the file before. */
  readonly resumed: number;
}

/** Written to the file at once. */
const pieceChars = 1024 * 1024;

export async function exportTo(options: ExportOptions): Promise<Exported> {
  const { path, scope } = options;
  const begun = existsSync(path) ? await lookInto(path, scope) : undefined;
  const { tally = new Tally(), last, size = 0 } = begun ?? {};
  const resumed = tally.entries;
  if (begun?.finished !== undefined) return { ...begun.finished, resumed };
  if (begun !== undefined) await truncate(path, size);
  options.onEntries(resumed);
  const file = await open(path, "a");
  try {
    let text = size === 0 ? headerText(scope) : "";
    let waiting = 0;
    for await (const entry of entriesAfter(options, last)) {
      tally.add(entry);
      text += entryText(entry);
      waiting += 1;
      if (text.length < pieceChars) continue;
      await file.appendFile(text);
      options.onEntries(waiting);
      text = "";
      waiting = 0;
    }
    await file.appendFile(`${text}${endText(tally.digests())}`);
    await file.sync();
    options.onEntries(waiting);
  } finally {
    await file.close();
  }
  return { ...tally.digests(), resumed };
}

interface Begun {
  readonly tally: Tally;
  readonly last: Entry<Uint8Array> | undefined;
  readonly finished: Digests | undefined;
  readonly size: number;
}

/** Throws when the file is of something else. */
async function lookInto(path: string, { store, space, segment }: Scope): Promise<Begun> {
  const tally = new Tally();
  let last: Entry<Uint8Array> | undefined;
  let finished: Digests | undefined;
  let size = 0;
  for await (const line of readBackup(path)) {
    size = line.end;
    if (line.kind === "end") ({ digests: finished } = line);
    if (line.kind === "header") {
      const { scope } = line;
      if (scope.store !== store || scope.space !== space || scope.segment !== segment)
        throw new UsageError(`${path} is a backup of something else: choose another file.`);
    }
    if (line.kind !== "entry") continue;
    tally.add(line.entry);
    last = line.entry;
  }
  return { tally, last, finished, size };
}

async function* entriesAfter(
  { store, scope, abortSignal }: ExportOptions,
  last: Entry<Uint8Array> | undefined,
): AsyncGenerator<Entry<Uint8Array>, void, undefined> {
  const { space, segment } = scope;
  const codec = bytes();
  if (space !== undefined && segment !== undefined) {
    const client = store.getSpaceClient(space, { codec }).getSegmentClient(segment);
    yield* client.read({ from: last === undefined ? undefined : last.sequence + 1, clamp: true, abortSignal });
    return;
  }
  const names = space === undefined ? await all(store.listSpaces({ abortSignal })) : [space];
  // Those before it were finished; the one that it is of goes on behind it.
  const from = last === undefined ? 0 : Math.max(0, names.indexOf(last.space));
  for (const name of names.slice(from)) {
    const offset = last !== undefined && name === last.space ? last.offset : undefined;
    yield* store.getSpaceClient(name, { codec }).read({ offset, clamp: true, abortSignal });
  }
}

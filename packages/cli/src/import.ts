// Reads a backup into a store, by appends at the places that the entries had.
//
// Promise: sequences, payloads, metadata and the order of each space are those of the backup, which is verified by
// reading all of it back; interrupted, it goes on where the segments end. Times and transactions are new: an append has
// its own.

import { bytes } from "streamkit-client";
import type { Entry, SpaceClient, StoreClient } from "streamkit-client";
import { readBackup, Tally } from "./backup-file.ts";
import type { Digests, Scope } from "./backup-file.ts";
import { CommandFailure, UsageError } from "./failures.ts";
import { batchesOf } from "./lines.ts";

export interface ImportOptions {
  readonly store: StoreClient;
  readonly path: string;
  /** Segments may have entries: those of an import that was interrupted. */
  readonly resume: boolean;
  readonly abortSignal: AbortSignal;
  readonly onEntries: (count: number) => void;
  readonly onVerified: (count: number) => void;
}

export interface Imported {
  readonly entries: number;
  /** How many of these were there before. */
  readonly resumed: number;
  readonly contentDigest: string;
}

/**
 * The backup as it is on the disk: read whole before anything is written, since half a backup restores half a store.
 */
export interface CheckedBackup {
  readonly scope: Scope;
  readonly digests: Digests;
  /** In the order of the file. */
  readonly spaces: readonly string[];
}

/** Rejects when the file is unfinished, or damaged, or has what no append can write. */
export async function checkBackup(path: string): Promise<CheckedBackup> {
  const tally = new Tally();
  const spaces = new Set<string>();
  const ends = new Map<string, number>();
  let scope: Scope | undefined;
  let digests: Digests | undefined;
  for await (const line of readBackup(path)) {
    if (digests !== undefined) throw new CommandFailure(`${path} goes on behind its last line.`);
    if (line.kind === "header") ({ scope } = line);
    if (line.kind === "end") ({ digests } = line);
    if (line.kind !== "entry") continue;
    tally.add(line.entry);
    spaces.add(line.entry.space);
    checkPlace(line.entry, ends);
  }
  if (scope === undefined || digests === undefined)
    throw new CommandFailure(`${path} is unfinished: run the same export again, it goes on where it ended.`);
  const { entries, digest } = tally.digests();
  if (entries !== digests.entries || digest !== digests.digest)
    throw new CommandFailure(`${path} is damaged: it does not hold what its last line says.`);
  return { scope, digests, spaces: [...spaces] };
}

function checkPlace({ space, segment, sequence }: Entry<unknown>, ends: Map<string, number>): void {
  const key = keyOf(space, segment);
  const end = ends.get(key) ?? 0;
  ends.set(key, sequence);
  if (sequence === end + 1) return;
  throw new CommandFailure(
    `In the backup the segment ${segment} of ${space} goes on with ${sequence} after ${end}, since entries were removed: appends cannot write it so.`,
  );
}

export async function importFrom(options: ImportOptions, backup: CheckedBackup): Promise<Imported> {
  const { path, abortSignal, onEntries } = options;
  const spaces = new Map(
    backup.spaces.map((name) => [name, options.store.getSpaceClient(name, { codec: bytes() })] as const),
  );
  const ends = new Map<string, number>();
  let resumed = 0;
  for await (const run of runsOf(path)) {
    const [first] = run;
    if (first === undefined) continue;
    const space = spaces.get(first.space);
    if (space === undefined) throw new CommandFailure(`${path} has changed since it was checked.`);
    const end = await endOf(options, space, first, ends);
    const missing = run.filter(({ sequence }) => sequence > end);
    resumed += run.length - missing.length;
    if (missing.length > 0) {
      const records = missing.map(({ payload, metadata }) => ({ payload, metadata }));
      const expected = (missing[0]?.sequence ?? 1) - 1;
      const { lastSequence } = await space
        .getSegmentClient(first.segment)
        .append(records, { expected: expected === 0 ? "none" : expected, abortSignal });
      ends.set(keyOf(first.space, first.segment), lastSequence);
    }
    onEntries(run.length);
  }
  await verify(options, backup, spaces);
  return { entries: backup.digests.entries, resumed, contentDigest: backup.digests.contentDigest };
}

/** Where the segment ends; asked for when it is first met. */
async function endOf(
  { resume, abortSignal }: ImportOptions,
  space: SpaceClient<Uint8Array>,
  { segment }: Entry<unknown>,
  ends: Map<string, number>,
): Promise<number> {
  const key = keyOf(space.spaceName, segment);
  const known = ends.get(key);
  if (known !== undefined) return known;
  const { lastSequence } = await space.getSegmentClient(segment).getStatus({ abortSignal });
  if (lastSequence > 0 && !resume)
    throw new UsageError(
      `The segment ${segment} of ${space.spaceName} has entries. Import into an empty store; or go on with an import that was interrupted: --resume.`,
    );
  ends.set(key, lastSequence);
  return lastSequence;
}

/**
 * Entries of one segment that follow each other in the file, as many as one call takes: so the order of the space
 * stays.
 */
async function* runsOf(path: string): AsyncGenerator<readonly Entry<Uint8Array>[], void, undefined> {
  for await (const batch of batchesOf(entriesOf(path), ({ payload }) => payload.byteLength)) {
    let run: Entry<Uint8Array>[] = [];
    for (const entry of batch) {
      const before = run.at(-1);
      if (before !== undefined && (before.segment !== entry.segment || before.space !== entry.space)) {
        yield run;
        run = [];
      }
      run.push(entry);
    }
    yield run;
  }
}

async function* entriesOf(path: string): AsyncGenerator<Entry<Uint8Array>, void, undefined> {
  for await (const line of readBackup(path)) if (line.kind === "entry") yield line.entry;
}

/** Reads what the store holds now, in the order of the file. */
async function verify(
  { abortSignal, onVerified }: ImportOptions,
  { scope, digests, spaces: names }: CheckedBackup,
  spaces: ReadonlyMap<string, SpaceClient<Uint8Array>>,
): Promise<void> {
  const tally = new Tally();
  for (const name of names) {
    const space = spaces.get(name);
    if (space === undefined) continue;
    const entries =
      scope.segment === undefined
        ? space.read({ abortSignal })
        : space.getSegmentClient(scope.segment).read({ abortSignal });
    for await (const entry of entries) {
      tally.add(entry);
      onVerified(1);
    }
  }
  const held = tally.digests();
  if (held.entries === digests.entries && held.contentDigest === digests.contentDigest) return;
  throw new CommandFailure(
    `The store does not hold what the backup does: ${held.entries} entries of ${digests.entries}, or others. Somebody else has written to it.`,
  );
}

function keyOf(space: string, segment: string): string {
  return JSON.stringify([space, segment]);
}

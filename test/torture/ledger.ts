// The books of a driver: what it asked for, what it was told became of it, and whether what is stored in the end
// agrees.
//
// Promise: judged by answers alone. Acknowledged: there, once, where it was said to be. Effect `committed`: there,
// once. Effect `none`: nowhere. Anything else (`unknown`, a broken connection): all of it once, or nothing.

import { isDeepStrictEqual } from "node:util";

/** The records of one segment that are committed together. */
export interface Part {
  readonly segment: string;
  /** The payloads; no two of a run are the same. */
  readonly texts: readonly string[];
}

export interface Place {
  readonly id: string;
  readonly number: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
}

export type Fate =
  /** One place for each part. */
  | { readonly kind: "acknowledged"; readonly places: readonly Place[] }
  /** It was said to be durable, and not where. */
  | { readonly kind: "committed" }
  | { readonly kind: "none" }
  | { readonly kind: "open" };

/** An entry as the interface shows it, with its payload as text. */
export interface ReadEntry {
  readonly space: string;
  readonly segment: string;
  readonly sequence: number;
  readonly timestamp: number;
  readonly trx: { readonly id: string; readonly node: string; readonly number: number };
  readonly payload: string;
}

/** What one all-or-nothing request was for. It is open until somebody says what became of it. */
export class Claim {
  readonly space: string;
  readonly parts: readonly Part[];
  fate: Fate = { kind: "open" };
  /** The stated holder of a sequence that this request was refused for. */
  winner: { readonly segment: string; readonly sequence: number; readonly id: string } | undefined;

  constructor(space: string, parts: readonly Part[]) {
    this.space = space;
    this.parts = parts;
  }
}

export class Ledger {
  readonly #claims: Claim[] = [];

  open(space: string, parts: readonly Part[]): Claim {
    const claim = new Claim(space, parts);
    this.#claims.push(claim);
    return claim;
  }

  /** Records by what became of them. */
  counts(): Readonly<Record<Fate["kind"], number>> {
    const counts = { acknowledged: 0, committed: 0, none: 0, open: 0 };
    for (const { fate, parts } of this.#claims) {
      counts[fate.kind] += parts.reduce((sum, { texts }) => sum + texts.length, 0);
    }
    return counts;
  }

  get spaces(): readonly string[] {
    return [...new Set(this.#claims.map(({ space }) => space))];
  }

  /** What is wrong with a space whose entries, in its order, are these. */
  judge(space: string, entries: readonly ReadEntry[]): string[] {
    const problems = [...orderProblems(entries), ...sequenceProblems(entries)];
    const found = new Map<string, ReadEntry[]>();
    for (const entry of entries) found.set(entry.payload, [...(found.get(entry.payload) ?? []), entry]);
    const claims = this.#claims.filter((claim) => claim.space === space);
    for (const claim of claims) problems.push(...claimProblems(claim, found));
    const asked = new Set(claims.flatMap(({ parts }) => parts.flatMap(({ texts }) => texts)));
    for (const text of found.keys()) if (!asked.has(text)) problems.push(`nobody produced ${short(text)}`);
    return problems.map((problem) => `space ${space}: ${problem}`);
  }
}

/** (timestamp, segment as UTF-8, sequence), strictly ascending. */
export function orderProblems(entries: readonly ReadEntry[]): string[] {
  const problems: string[] = [];
  for (const [index, entry] of entries.entries()) {
    const before = entries[index - 1];
    if (before === undefined) continue;
    const order =
      before.timestamp - entry.timestamp ||
      Buffer.compare(Buffer.from(before.segment), Buffer.from(entry.segment)) ||
      before.sequence - entry.sequence;
    if (order >= 0) problems.push(`${nameOf(entry)} comes after ${nameOf(before)}`);
  }
  return problems;
}

/** Per segment: sequences 1, 2, 3 ..., transactions 1, 2, 3 ... */
export function sequenceProblems(entries: readonly ReadEntry[]): string[] {
  const problems: string[] = [];
  const last = new Map<string, ReadEntry>();
  for (const entry of entries) {
    const before = last.get(entry.segment);
    last.set(entry.segment, entry);
    const isSame = before?.trx.id === entry.trx.id;
    const number = (before?.trx.number ?? 0) + (isSame ? 0 : 1);
    if (entry.sequence !== (before?.sequence ?? 0) + 1)
      problems.push(`${nameOf(entry)} follows ${before?.sequence ?? 0}`);
    if (entry.trx.number !== number)
      problems.push(`${nameOf(entry)} is of transaction ${entry.trx.number}, not ${number}`);
    if (isSame && !isDeepStrictEqual(before.trx, entry.trx)) problems.push(`${nameOf(entry)} is of two transactions`);
  }
  return problems;
}

function claimProblems({ fate, parts, winner }: Claim, found: ReadonlyMap<string, readonly ReadEntry[]>): string[] {
  const problems: string[] = [];
  const stored = parts.map(({ texts }) => texts.map((text) => found.get(text) ?? []));
  for (const places of stored.flat()) {
    if (places.length > 1) problems.push(`${short(places[0]!.payload)} is there ${places.length} times`);
  }
  const present = stored.flat().filter((places) => places.length > 0).length;
  const first = short(parts[0]?.texts[0] ?? "");
  switch (fate.kind) {
    case "none":
      if (present > 0) problems.push(`${first} was said not to have happened, and ${present} records of it are there`);
      break;
    case "open":
      if (present > 0 && present < stored.flat().length) problems.push(`only a part of ${first} is there`);
      break;
    case "committed":
      if (present < stored.flat().length) problems.push(`${first} was said to be durable, and is not all there`);
      break;
    case "acknowledged":
      for (const [index, { segment, texts }] of parts.entries()) {
        problems.push(...placeProblems(segment, texts, fate.places[index], stored[index] ?? []));
      }
  }
  if (winner !== undefined) {
    const holders = [...found.values()].flat();
    const holder = holders.find(({ segment, sequence }) => segment === winner.segment && sequence === winner.sequence);
    if (holder?.trx.id !== winner.id) {
      problems.push(`${first} lost ${winner.segment} ${winner.sequence} to ${winner.id}, and ${holder?.trx.id} has it`);
    }
  }
  return problems;
}

function placeProblems(
  segment: string,
  texts: readonly string[],
  place: Place | undefined,
  stored: readonly (readonly ReadEntry[])[],
): string[] {
  if (place === undefined || place.lastSequence - place.firstSequence + 1 !== texts.length) {
    return [`${short(texts[0] ?? "")} was acknowledged at ${JSON.stringify(place)}, with ${texts.length} records`];
  }
  return texts.flatMap((text, index) => {
    const entry = stored[index]?.[0];
    if (entry === undefined) return [`${short(text)} was acknowledged, and is not there`];
    const { id, number, firstSequence } = place;
    const isThere =
      entry.segment === segment &&
      entry.sequence === firstSequence + index &&
      entry.trx.id === id &&
      entry.trx.number === number;
    return isThere
      ? []
      : [`${short(text)} was acknowledged at ${segment} ${firstSequence + index}, and is ${nameOf(entry)}`];
  });
}

function nameOf({ segment, sequence, timestamp, trx }: ReadEntry): string {
  return `${segment} ${sequence} (${timestamp}, transaction ${trx.id})`;
}

function short(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
}

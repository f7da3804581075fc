// The records of a body on their way to the store: in turns with everyone else, and held against the request's share of memory.

import { setImmediate as nextTurn } from "node:timers/promises";

import type { AppendRecord } from "../core/entry.ts";
import type { ProducedChunk } from "../store/store.ts";
import type { RecordStep } from "../wire/records.ts";
import { wireLimits } from "../wire/wire-limits.ts";
import type { Holding } from "./overload.ts";

/** With pauses, so that others get their turns: none looks at more than twice `turnBytesMax` and one record. */
export async function* inTurns(
  steps: Iterable<RecordStep>,
  pause: () => Promise<unknown> = nextTurn,
): AsyncGenerator<AppendRecord, void, undefined> {
  const looked = turnOf(pause);
  for (const { record, bytes } of steps) {
    if (record !== undefined) yield record;
    const over = looked(bytes);
    if (over !== undefined) await over;
  }
}

/** The same, with the steps that have no record. */
export async function* stepsInTurns<Step extends RecordStep>(
  steps: Iterable<Step>,
  pause: () => Promise<unknown> = nextTurn,
): AsyncGenerator<Step, void, undefined> {
  const looked = turnOf(pause);
  for (const step of steps) {
    yield step;
    const over = looked(step.bytes);
    if (over !== undefined) await over;
  }
}

/** Counts what a turn looks at; gives the pause that is due. */
function turnOf(pause: () => Promise<unknown>): (bytes: number) => Promise<unknown> | undefined {
  let looked = 0;
  return (bytes) => {
    looked += bytes;
    if (looked < wireLimits.turnBytesMax) return undefined;
    looked = 0;
    return pause();
  };
}

/** What is held of lines that are not committed: the records of the present chunk, and the line that has begun. */
export class Uncommitted {
  readonly #memory: Holding;
  #begun = 0;
  #records = 0;
  #last = 0;

  constructor(memory: Holding) {
    this.#memory = memory;
  }

  /** So many bytes are taken by the line that has begun, instead of those before. */
  begin(bytes: number): void {
    if (bytes > this.#begun) this.#memory.take(bytes - this.#begun);
    else this.#memory.give(this.#begun - bytes);
    this.#begun = bytes;
  }

  /** A record of so many bytes. */
  add(bytes: number): void {
    this.#memory.take(bytes);
    this.#records += bytes;
    this.#last = bytes;
  }

  /** The same chunks; with each its records are given back. */
  async *released(chunks: AsyncIterable<ProducedChunk>): AsyncGenerator<ProducedChunk, void, undefined> {
    for await (const chunk of chunks) {
      // The last record that was read may be the first of the next chunk.
      const left = Math.min(this.#last, this.#records);
      this.#memory.give(this.#records - left);
      this.#records = left;
      yield chunk;
    }
  }
}

// Readers that follow a space from its beginning, page by page, now from this process, now from that: each sees one
// order, each entry once.

import { setTimeout as sleep } from "node:timers/promises";
import type { Chance } from "../simulation/chance.ts";
import { pageOf, StoreCalls } from "./calls.ts";
import type { ReadEntry } from "./ledger.ts";
import { orderProblems, sequenceProblems } from "./ledger.ts";
import type { Target } from "./producers.ts";

export class Reader {
  readonly space: string;
  readonly entries: ReadEntry[] = [];
  readonly problems: string[] = [];
  pages = 0;
  readonly #target: Target;
  readonly #chance: Chance;

  constructor(target: Target, space: string, chance: Chance) {
    this.space = space;
    this.#target = target;
    this.#chance = chance;
  }

  /** Until the signal, and then until there is nothing more. */
  async run(over: AbortSignal): Promise<void> {
    let cursor = "";
    for (;;) {
      const wasOver = over.aborted;
      const calls = new StoreCalls(await this.#target.url(), this.#target.store);
      const answer = await calls.page(this.space, cursor, this.#chance.integer(1, 500), wasOver ? 0 : 1);
      if (answer.kind === "ok") {
        const { entries, next } = pageOf(answer.json);
        this.pages += 1;
        this.#take(entries);
        cursor = next;
        if (wasOver && entries.length === 0) return;
      } else {
        if (answer.kind === "problem" && answer.problem.status !== 429 && answer.problem.status !== 503) {
          this.problems.push(`a reader of ${this.space} got ${answer.problem.status}: ${answer.problem.detail}`);
        }
        await sleep(100);
      }
    }
  }

  /** What it has read so far is as far as it goes what is there in the end. */
  agreesWith(all: readonly ReadEntry[]): string[] {
    const name = ({ segment, sequence, trx }: ReadEntry): string => `${segment} ${sequence} ${trx.id}`;
    const differs = this.entries.findIndex((entry, index) => {
      const other = all[index];
      return other === undefined || name(entry) !== name(other) || entry.payload !== other.payload;
    });
    if (differs >= 0) return [`a reader of ${this.space} has another entry at place ${differs}`];
    return this.entries.length === all.length
      ? []
      : [`a reader of ${this.space} has ${this.entries.length} of ${all.length}`];
  }

  #take(entries: readonly ReadEntry[]): void {
    const known = this.entries.length;
    this.entries.push(...entries);
    this.problems.push(...orderProblems(this.entries.slice(Math.max(0, known - 1))));
    // Found at the end if not now: checking all of it at each page would be slow.
    if (known === 0) this.problems.push(...sequenceProblems(entries));
  }
}

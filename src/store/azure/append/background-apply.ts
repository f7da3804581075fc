// Brings segments up in the background, for those who cannot go on before: once at a time, and again as long as they
// ask.

import { sleep } from "../../../core/clock.ts";
import type { Clock, Random } from "../../../core/clock.ts";
import type { SegmentName } from "../../../core/ids.ts";
import type { Applier } from "../apply/applier.ts";
import type { AppendRequest } from "./append-request.ts";

/** After a segment could not be helped, until those who wait may ask again. */
const pauseMs = 500;

export interface BackgroundApplyDeps {
  readonly applier: Pick<Applier, "ensure" | "pendingIn" | "pendingRecords" | "prove">;
  readonly clock: Clock;
  readonly random: Random;
}

export class BackgroundApply {
  readonly #deps: BackgroundApplyDeps;
  readonly #isFull: (segment: SegmentName) => boolean;
  readonly #refresh: () => Promise<void>;
  readonly #done: () => void;
  readonly #running = new Set<SegmentName>();

  /**
   * `refresh`: brings what is known up to the log as it is, so that nothing is applied that a storage that went back
   * does not have. `done`: called after each help, whether it helped or not.
   */
  constructor(
    deps: BackgroundApplyDeps,
    isFull: (segment: SegmentName) => boolean,
    refresh: () => Promise<void>,
    done: () => void,
  ) {
    this.#deps = deps;
    this.#isFull = isFull;
    this.#refresh = refresh;
    this.#done = done;
  }

  /**
   * Called for a request whose segments take no more. Segments that get no commits are asked whether they would take
   * some.
   */
  waiting({ parts }: AppendRequest): void {
    for (const { segment } of parts) {
      const last = this.#deps.applier.pendingIn(segment).findLast(({ applied }) => !applied);
      if (last !== undefined) this.#ensure(segment, last.transaction.number);
      else if (this.#isFull(segment)) this.#prove(segment);
    }
  }

  /** For a log that takes no more. */
  all(): void {
    for (const { items, spaceListed } of [...this.#deps.applier.pendingRecords]) {
      for (const { isDone, transaction } of items) {
        if (!isDone || !spaceListed) this.#ensure(transaction.segment, transaction.number);
      }
    }
  }

  #ensure(segment: SegmentName, transactionNumber: number): void {
    this.#once(segment, () => this.#deps.applier.ensure(segment, transactionNumber));
  }

  #prove(segment: SegmentName): void {
    this.#once(segment, () => this.#deps.applier.prove(segment));
  }

  #once(segment: SegmentName, help: () => Promise<void>): void {
    const { clock, random } = this.#deps;
    if (this.#running.has(segment)) return;
    this.#running.add(segment);
    void this.#refresh()
      .then(help)
      .catch(() => sleep(clock, pauseMs * (0.5 + random.fraction())))
      .then(() => {
        this.#running.delete(segment);
        this.#done();
      });
  }
}

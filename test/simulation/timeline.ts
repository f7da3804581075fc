// Virtual time: what is to happen, in order, and the clocks of machines that look at it.
//
// Promise: one thing happens at a time, and everything it causes without waiting is over before the next; what falls on
// the same instant happens in the order it was asked for. No real time passes, so a seed replays exactly.

import type { Clock } from "../../src/core/clock.ts";

interface Happening {
  readonly at: number;
  readonly order: number;
  callback: (() => void) | undefined;
}

export class Timeline {
  /** Milliseconds since the beginning. */
  now = 0;
  /** How many things have happened. */
  happened = 0;
  #order = 0;
  /** A binary heap, earliest first. */
  readonly #heap: Happening[] = [];

  after(ms: number, callback: () => void): () => void {
    const happening: Happening = { at: this.now + Math.max(ms, 0), order: (this.#order += 1), callback };
    this.#push(happening);
    return () => {
      happening.callback = undefined;
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /**
   * Lets things happen until `isOver`, or until nothing is left to happen before `limitMs` from now. True: it is over.
   */
  async run(isOver: () => boolean, limitMs: number): Promise<boolean> {
    const end = this.now + limitMs;
    await settled();
    while (!isOver()) {
      const next = this.#heap[0];
      if (next === undefined || next.at > end) {
        this.now = Math.max(this.now, end);
        return isOver();
      }
      this.#pop();
      if (next.callback === undefined) continue;
      this.now = Math.max(this.now, next.at);
      this.happened += 1;
      next.callback();
      await settled();
    }
    return true;
  }

  #push(happening: Happening): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(happening);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(happening, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = happening;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

/** When the simulated service says it is at the beginning. */
export const epoch = Date.UTC(2030, 0, 1);

/** A machine's clocks: its wall clock is off, drifts and is stepped; its timers die with it. */
export class MachineClock implements Clock {
  readonly #timeline: Timeline;
  readonly #drift: number;
  #offsetMs: number;
  #stopped = false;
  /** What is due when the machine goes on; undefined: it does not stand still. */
  #held: (() => void)[] | undefined;

  constructor(timeline: Timeline, offsetMs = 0, drift = 0) {
    this.#timeline = timeline;
    this.#offsetMs = offsetMs;
    this.#drift = drift;
  }

  now(): number {
    return Math.floor(epoch + this.#offsetMs + this.#timeline.now * (1 + this.#drift));
  }

  elapsed(): number {
    return this.#timeline.now;
  }

  after(ms: number, callback: () => void): () => void {
    let isCancelled = false;
    const due = (): void => {
      if (this.#stopped || isCancelled) return;
      if (this.#held === undefined) callback();
      else this.#held.push(due);
    };
    const cancel = this.#timeline.after(ms, due);
    return () => {
      isCancelled = true;
      cancel();
    };
  }

  /** The machine stands still: its timers fire when it goes on. */
  freeze(): void {
    this.#held ??= [];
  }

  thaw(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const due of held) due();
  }

  /** Somebody sets the clock. */
  step(ms: number): void {
    this.#offsetMs += ms;
  }

  /** The machine dies: no timer of it fires any more. */
  stop(): void {
    this.#stopped = true;
  }
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** After every microtask that is due. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

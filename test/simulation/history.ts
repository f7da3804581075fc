// What happened in a run, one line each, for people: who asked what, what became of it, what was written, what was
// answered.

import type { Timeline } from "./timeline.ts";

export class History {
  readonly lines: string[] = [];
  readonly #timeline: Timeline;
  readonly #isKept: boolean;

  constructor(timeline: Timeline, isKept: boolean) {
    this.#timeline = timeline;
    this.#isKept = isKept;
  }

  /** The line is made only when it is kept. */
  note(who: string, what: () => string): void {
    if (!this.#isKept) return;
    this.lines.push(`${this.#timeline.now.toFixed(1).padStart(9)} ${who.padEnd(8)} ${what()}`);
  }
}

export function describeError(error: unknown): string {
  if (error === undefined) return "";
  return error instanceof Error ? `${error.name}: ${error.message}` : JSON.stringify(error);
}

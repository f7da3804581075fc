// What becomes of one simulated request: when it arrives at the service (never, once, repeatedly, after the caller has given
// up), and what the caller hears. Delays, losses, time-outs, late landings, repeats and crashes are all values of one type.
//
// Promise: deterministic. Without a fate a request is answered in microtasks; with one, every wait is the clock's.

import type { Clock } from "../../src/core/clock.ts";

/** Times are milliseconds after the call. */
export interface Fate {
  /** Each arrival takes effect, whatever the caller hears or has given up. Ascending. */
  readonly arrivesAtMs: readonly number[];
  readonly hears: Hears;
  /** A query's page ends after this many rows, 0 included, with a continuation. */
  readonly rowsMax?: number;
}

export type Hears =
  /** The answer of the last arrival, so long after it. */
  | { readonly kind: "answer"; readonly afterMs: number }
  | { readonly kind: "failure"; readonly atMs: number; readonly failure: Failure }
  | { readonly kind: "nothing" };

export interface Failure {
  readonly kind: "throttled" | "unavailable" | "timeout" | "denied" | "rejected";
  readonly retryAfterMs?: number;
  /** Absent: of a write `unknown`, for `denied` and `rejected` `none`. Not to be `none` for what arrives. */
  readonly effect?: "none" | "unknown";
}

/** The fates there are names for. */
export const fates = {
  /** Slow, both ways. */
  answered: (requestMs: number, answerMs: number): Fate => ({
    arrivesAtMs: [requestMs],
    hears: { kind: "answer", afterMs: answerMs },
  }),
  /** Never arrives; the caller is told so late. */
  failed: (failure: Failure, atMs: number): Fate => ({ arrivesAtMs: [], hears: { kind: "failure", atMs, failure } }),
  throttled: (atMs: number, retryAfterMs?: number): Fate =>
    fates.failed({ kind: "throttled", ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }, atMs),
  /** Takes effect, and the connection breaks before the answer. */
  lost: (requestMs: number, atMs: number): Fate => ({
    arrivesAtMs: [requestMs],
    hears: { kind: "failure", atMs, failure: { kind: "unavailable" } },
  }),
  /** No answer in time. `arrivesAtMs`: absent never; below `atMs` it took effect; above it lands late. */
  timedOut: (atMs: number, arrivesAtMs?: number): Fate => ({
    arrivesAtMs: arrivesAtMs === undefined ? [] : [arrivesAtMs],
    hears: { kind: "failure", atMs, failure: { kind: "timeout" } },
  }),
  /** Something on the way sends it twice; the caller gets the second answer. */
  repeated: (firstMs: number, secondMs: number, answerMs: number): Fate => ({
    arrivesAtMs: [firstMs, secondMs],
    hears: { kind: "answer", afterMs: answerMs },
  }),
  /** A page of at most `rowsMax` rows. */
  cut: (rowsMax: number, requestMs: number, answerMs: number): Fate => ({
    ...fates.answered(requestMs, answerMs),
    rowsMax,
  }),
  /** The caller never hears, as after a crash. */
  dropped: (arrivesAtMs?: number): Fate => ({
    arrivesAtMs: arrivesAtMs === undefined ? [] : [arrivesAtMs],
    hears: { kind: "nothing" },
  }),
};

export interface Delivery<T> {
  readonly clock: Clock;
  readonly fate: Fate | undefined;
  /** The request takes effect and is answered; a throw is an answer too. */
  readonly arrive: () => T;
  /** The error that the caller hears for a failure. */
  readonly fail: (failure: Failure) => Error;
  /** False after a crash of the caller: nothing is heard any more. */
  readonly listens: () => boolean;
}

/** Lets a request meet its fate. */
export function deliver<T>(delivery: Delivery<T>): Promise<T> {
  const { clock, arrive, fail, listens } = delivery;
  const fate = delivery.fate ?? prompt;
  check(fate);
  return new Promise((resolve, reject) => {
    const { hears } = fate;
    let left = fate.arrivesAtMs.length;
    for (const atMs of fate.arrivesAtMs) {
      after(clock, atMs, () => {
        const answer = answerOf(arrive);
        left -= 1;
        if (left > 0 || hears.kind !== "answer") return;
        after(clock, hears.afterMs, () => {
          if (!listens()) return;
          if (answer.kind === "value") resolve(answer.value);
          else reject(answer.error);
        });
      });
    }
    if (hears.kind === "failure") {
      after(clock, hears.atMs, () => {
        if (listens()) reject(fail(hears.failure));
      });
    }
  });
}

const prompt: Fate = fates.answered(0, 0);

type Answered<T> = { readonly kind: "value"; readonly value: T } | { readonly kind: "error"; readonly error: Error };

function answerOf<T>(arrive: () => T): Answered<T> {
  try {
    return { kind: "value", value: arrive() };
  } catch (error) {
    return { kind: "error", error: error as Error };
  }
}

/** No time at all is a microtask, not a timer. */
function after(clock: Clock, ms: number, then: () => void): void {
  if (ms > 0) clock.after(ms, then);
  else queueMicrotask(then);
}

/** A plan that lies would make the checker blame the protocol. */
function check({ arrivesAtMs, hears }: Fate): void {
  if (hears.kind === "answer" && arrivesAtMs.length === 0) {
    throw new RangeError("A fate with an answer to a request that never arrives.");
  }
  if (hears.kind === "failure" && hears.failure.effect === "none" && arrivesAtMs.length > 0) {
    throw new RangeError("A fate without effect for a request that arrives.");
  }
}

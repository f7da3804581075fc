// What becomes of one simulated request: when it arrives at the service (never, once, repeatedly, after the caller has
// given up), and what the caller hears. Delays, losses, time-outs, late landings, repeats and crashes are all values of
// one type.
//
// Promise: deterministic. Without a fault a request is answered in microtasks; with one, every wait is the clock's.

import type { Clock } from "../../src/core/clock.ts";

/** Times are milliseconds after the call. */
export interface Fault {
  /** Each arrival takes effect, whatever the caller hears or has given up. Ascending. */
  readonly arrivesAtMs: readonly number[];
  readonly outcome: Outcome;
  /** A query's page ends after this many rows, 0 included, with a continuation. */
  readonly rowsMax?: number;
}

export type Outcome =
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

/** The faults there are names for. */
export const faults = {
  /** Slow, both ways. */
  answered: (requestMs: number, answerMs: number): Fault => ({
    arrivesAtMs: [requestMs],
    outcome: { kind: "answer", afterMs: answerMs },
  }),
  /** Never arrives; the caller is told so late. */
  failed: (failure: Failure, atMs: number): Fault => ({ arrivesAtMs: [], outcome: { kind: "failure", atMs, failure } }),
  throttled: (atMs: number, retryAfterMs?: number): Fault =>
    faults.failed({ kind: "throttled", ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }, atMs),
  /** Takes effect, and the connection breaks before the answer. */
  answerLost: (requestMs: number, atMs: number): Fault => ({
    arrivesAtMs: [requestMs],
    outcome: { kind: "failure", atMs, failure: { kind: "unavailable" } },
  }),
  /** No answer in time. `arrivesAtMs`: absent never; below `atMs` it took effect; above it lands late. */
  timedOut: (atMs: number, arrivesAtMs?: number): Fault => ({
    arrivesAtMs: arrivesAtMs === undefined ? [] : [arrivesAtMs],
    outcome: { kind: "failure", atMs, failure: { kind: "timeout" } },
  }),
  /** Something on the way sends it twice; the caller gets the second answer. */
  repeated: (firstMs: number, secondMs: number, answerMs: number): Fault => ({
    arrivesAtMs: [firstMs, secondMs],
    outcome: { kind: "answer", afterMs: answerMs },
  }),
  /** A page of at most `rowsMax` rows. */
  cut: (rowsMax: number, requestMs: number, answerMs: number): Fault => ({
    ...faults.answered(requestMs, answerMs),
    rowsMax,
  }),
  /** The caller never hears, as after a crash. */
  dropped: (arrivesAtMs?: number): Fault => ({
    arrivesAtMs: arrivesAtMs === undefined ? [] : [arrivesAtMs],
    outcome: { kind: "nothing" },
  }),
};

export interface SimulatedRequest<T> {
  readonly clock: Clock;
  readonly fault: Fault | undefined;
  /** The request takes effect and is answered; a throw is an answer too. */
  readonly arrive: () => T;
  /** The error that the caller hears for a failure. */
  readonly fail: (failure: Failure) => Error;
  /** False after a crash of the caller: nothing is heard any more. */
  readonly listens: () => boolean;
}

/** Lets a request meet its fault. */
export function simulate<T>(request: SimulatedRequest<T>): Promise<T> {
  const { clock, arrive, fail, listens } = request;
  const fault = request.fault ?? prompt;
  check(fault);
  return new Promise((resolve, reject) => {
    const { outcome } = fault;
    let left = fault.arrivesAtMs.length;
    for (const atMs of fault.arrivesAtMs) {
      after(clock, atMs, () => {
        const answer = answerOf(arrive);
        left -= 1;
        if (left > 0 || outcome.kind !== "answer") return;
        after(clock, outcome.afterMs, () => {
          if (!listens()) return;
          if (answer.kind === "value") resolve(answer.value);
          else reject(answer.error);
        });
      });
    }
    if (outcome.kind === "failure") {
      after(clock, outcome.atMs, () => {
        if (listens()) reject(fail(outcome.failure));
      });
    }
  });
}

const prompt: Fault = faults.answered(0, 0);

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
function check({ arrivesAtMs, outcome }: Fault): void {
  if (outcome.kind === "answer" && arrivesAtMs.length === 0) {
    throw new RangeError("A fault with an answer to a request that never arrives.");
  }
  if (outcome.kind === "failure" && outcome.failure.effect === "none" && arrivesAtMs.length > 0) {
    throw new RangeError("A fault without effect for a request that arrives.");
  }
}

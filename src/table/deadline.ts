// A time-out and the caller's signal around one request.
//
// Promise: settles when either fires, even if what it waits for does not heed its signal.

import type { Clock } from "../core/clock.ts";

export type Outcome<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "threw"; readonly error: unknown }
  | { readonly kind: "timeout" }
  /** `started`: false when the signal had fired before anything was done. */
  | { readonly kind: "aborted"; readonly started: boolean; readonly reason: unknown };

export async function withDeadline<T>(
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<Outcome<T>> {
  if (signal?.aborted) return { kind: "aborted", started: false, reason: signal.reason };
  const controller = new AbortController();
  const cut = Promise.withResolvers<Outcome<T>>();
  const end = (outcome: Outcome<T>): void => {
    // First the outcome: the abort makes the work fail, which must not win the race.
    cut.resolve(outcome);
    controller.abort();
  };
  const onAbort = (): void => end({ kind: "aborted", started: true, reason: signal?.reason });
  const cancel = clock.after(timeoutMs, () => end({ kind: "timeout" }));
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const worked = work(controller.signal).then(
      (value): Outcome<T> => ({ kind: "done", value }),
      (error: unknown): Outcome<T> => ({ kind: "threw", error }),
    );
    return await Promise.race([cut.promise, worked]);
  } finally {
    cancel();
    signal?.removeEventListener("abort", onAbort);
  }
}

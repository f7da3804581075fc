// When a delivery that failed is tried again, and when it is given up.
//
// The pause grows with the time that has passed since the first failure: each is at most as long as all before it
// together. So nobody has to count tries, in whatever instance they were made.

/** The length of the first pause, ms: a receiver that restarts is back by then. */
export const firstPauseMs = 5_000;
/** A receiver that is back after a night waits no longer than this, ms. */
export const longestPauseMs = 4 * 60 * 60_000;
/** A delivery that has failed for a day is given up. */
export const givenUpAfterMs = 24 * 60 * 60_000;

/** `chance`: from 0 to below 1, so that what failed together is not tried together. */
export function pauseMs(failingMs: number, chance: number): number {
  const longest = Math.min(longestPauseMs, Math.max(firstPauseMs, failingMs));
  return Math.round(longest * (0.5 + chance / 2));
}

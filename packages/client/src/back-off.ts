// How long to wait before a call is repeated: pure.

import type { RetryOptions } from "./options.ts";

export interface BackOff {
  readonly deadlineMs: number;
  readonly firstMs: number;
  readonly longestMs: number;
}

export function backOffOf(options: RetryOptions = {}): BackOff {
  return {
    deadlineMs: options.deadlineInMs ?? 60_000,
    firstMs: options.retryDelayInMs ?? 100,
    longestMs: options.maxRetryDelayInMs ?? 5_000,
  };
}

/**
 * Of the attempt that failed: the first is 1. `fraction` is chance, in [0, 1): those who failed together do not come
 * back together.
 */
export function pauseMs({ firstMs, longestMs }: BackOff, attempt: number, fraction: number): number {
  const most = Math.min(longestMs, firstMs * 2 ** Math.min(attempt - 1, 20));
  return Math.round(most / 2 + (most / 2) * fraction);
}

/** `Retry-After` in milliseconds: seconds, or a date. Undefined when it is neither. */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null || header.trim() === "") return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1_000);
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

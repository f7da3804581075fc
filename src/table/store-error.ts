// Translates a failed request of a table into the store's words.

import type { Effect } from "../core/errors.ts";
import { StoreError } from "../core/errors.ts";
import { TableFailure } from "./port.ts";

/**
 * The error for a caller whose request failed at the storage service. Store errors pass through with their own effect.
 */
export function asStoreError(cause: unknown, effect: Effect): StoreError {
  if (cause instanceof StoreError) {
    if (cause.effect === effect) return cause;
    const { code, message, retryAfterMs, details } = cause;
    return new StoreError(code, message, {
      effect,
      cause,
      details,
      retryAfterMs,
    });
  }
  if (!(cause instanceof TableFailure)) {
    return new StoreError("internal", "An unexpected error happened; it is in the log.", { effect, cause });
  }
  const retryAfterMs = cause.retryAfterMs ?? 1_000;
  switch (cause.kind) {
    case "throttled":
      return new StoreError("throttled", "The storage account asks for fewer requests. Try again a little later.", {
        effect,
        cause,
        retryAfterMs,
      });
    case "denied":
      return new StoreError(
        "storage_unavailable",
        "The storage account refuses this application. Check the connection and the roles of its identity.",
        { effect, cause, retryAfterMs: 30_000 },
      );
    case "too_large":
    case "rejected":
      return new StoreError("internal", "The storage account rejected a request; it is in the log.", { effect, cause });
    case "aborted":
    case "timeout":
    case "unavailable":
      return new StoreError("storage_unavailable", "The storage account did not answer. Try again a little later.", {
        effect,
        cause,
        retryAfterMs,
      });
  }
}

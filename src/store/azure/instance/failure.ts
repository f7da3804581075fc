// Says in the store's words what went wrong at its table.

import { StoreError } from "../../../core/errors.ts";
import { TableFailure } from "../../../table/port.ts";

export { asStoreError } from "../../../table/store-error.ts";

/** Stored data, or what is remembered of it, contradicts itself. */
export function isCorrupt(cause: unknown): boolean {
  return cause instanceof StoreError && cause.code === "corrupt_data";
}

/** The object of the work was deleted: nothing is wrong, and nothing is left to do. */
export function isDeleted(cause: unknown): boolean {
  return cause instanceof StoreError && cause.code === "deleted";
}

/** Whether trying again could help. */
export function isTransient(cause: unknown): boolean {
  return (
    cause instanceof TableFailure &&
    (cause.kind === "throttled" || cause.kind === "unavailable" || cause.kind === "timeout")
  );
}

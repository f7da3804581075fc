// Says in the store's words what went wrong at its table.

import { TableFailure } from "../../../table/port.ts";

export { asStoreError } from "../../../table/store-error.ts";

/** Whether trying again could help. */
export function isTransient(cause: unknown): boolean {
  return (
    cause instanceof TableFailure &&
    (cause.kind === "throttled" || cause.kind === "unavailable" || cause.kind === "timeout")
  );
}

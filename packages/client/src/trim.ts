// Trims: one call of the service removes only so much, so it is made until all that was asked for is gone.

import type { SegmentStatus } from "./entries.ts";
import type { OperationOptions } from "./options.ts";
import { pause } from "./timing.ts";
import type { Call, Transport } from "./transport.ts";

/** Removes all entries older than a time, or all up to an offset, and that entry too. */
export type TrimSpaceOptions = OperationOptions &
  (
    | { readonly beforeTimestamp: number; readonly upToOffset?: undefined }
    | { readonly upToOffset: string; readonly beforeTimestamp?: undefined }
  );

export interface SpaceTrim {
  /** Where readers go on; empty: nothing was ever trimmed. */
  readonly earliest: string;
  /**
   * `pending`: it stopped before a commit that is not in all its segments yet, and goes on from there when it is called
   * again.
   */
  readonly state: "done" | "pending";
}

export async function trimSegment(
  transport: Transport,
  path: string,
  before: number,
  options: OperationOptions,
): Promise<SegmentStatus> {
  for (;;) {
    const status = (await transport.json(trimCall(path, before), options)) as SegmentStatus;
    // A segment that never had an entry begins nowhere.
    if (status.lastSequence === 0 || status.firstSequence >= Math.min(before, status.lastSequence + 1)) return status;
  }
}

/** How often a trim comes back to a commit that is still on its way into its segments, and the pause between. */
const pendingTries = 5;
const pendingPauseMs = 1_000;

export async function trimSpace(transport: Transport, path: string, options: TrimSpaceOptions): Promise<SpaceTrim> {
  const before = options.upToOffset ?? options.beforeTimestamp;
  for (let pending = 0; ;) {
    const { earliest, state } = (await transport.json(trimCall(path, before), options)) as {
      readonly earliest: string;
      readonly state: "done" | "pending" | "more";
    };
    if (state === "done" || (state === "pending" && ++pending === pendingTries)) return { earliest, state };
    if (state === "pending") await pause(pendingPauseMs, options.abortSignal);
  }
}

/** A repeat removes what is left of the same, so whether an earlier attempt happened makes no difference. */
function trimCall(path: string, before: number | string | undefined): Call {
  const body = JSON.stringify({ before });
  const json = "application/json";
  return { method: "POST", path, body, accept: json, contentType: json, refutes: () => false };
}

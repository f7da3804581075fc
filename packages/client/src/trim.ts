// Trims: of what takes longer than a call may, a job of the service removes the rest. It is waited for.

import { jsonCall } from "./calls.ts";
import type { SegmentStatus } from "./entries.ts";
import { Jobs } from "./jobs.ts";
import type { Job } from "./jobs.ts";
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

/** Where the call goes, and where the jobs of the store are. */
export interface TrimPaths {
  readonly path: string;
  readonly jobsPath: string;
}

export async function trimSegment(
  transport: Transport,
  { path, jobsPath }: TrimPaths,
  before: number,
  options: OperationOptions,
): Promise<SegmentStatus> {
  const jobs = new Jobs(transport, jobsPath);
  for (;;) {
    const { body, status } = await transport.answer(trimCall(path, before), options);
    if (status !== 202) return body as SegmentStatus;
    await jobs.wait((body as Job).id, options);
  }
}

/** How often a trim comes back to a commit that is still on its way into its segments, and the pause between. */
const pendingTries = 5;
const pendingPauseMs = 1_000;

export async function trimSpace(
  transport: Transport,
  { path, jobsPath }: TrimPaths,
  options: TrimSpaceOptions,
): Promise<SpaceTrim> {
  const jobs = new Jobs(transport, jobsPath);
  const before = options.upToOffset ?? options.beforeTimestamp;
  for (let pending = 0; ;) {
    const { body, status } = await transport.answer(trimCall(path, before), options);
    if (status === 202) {
      await jobs.wait((body as Job).id, options);
      continue;
    }
    const { earliest, state } = body as SpaceTrim;
    if (state === "done") return { earliest, state };
    pending += 1;
    if (pending === pendingTries) return { earliest, state };
    await pause(pendingPauseMs, options.abortSignal);
  }
}

/** A repeat removes what is left of the same, so whether an earlier attempt happened makes no difference. */
function trimCall(path: string, before: number | string | undefined): Call {
  return jsonCall("POST", path, { before });
}

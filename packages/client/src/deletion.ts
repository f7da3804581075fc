// Deletes a space or a store, and restores it.

import type { Job } from "./jobs.ts";
import type { OperationOptions } from "./options.ts";
import type { Call, Transport } from "./transport.ts";

export interface DeleteOptions extends OperationOptions {
  /** The name of the space, or the id of the store, once more: nothing is deleted by a slip. */
  readonly confirm: string;
  /** How long it can be restored. Default: a week. */
  readonly graceInSeconds?: number | undefined;
  /** It is never restored, and all of it is removed as soon as can be. */
  readonly erase?: boolean | undefined;
}

export interface Deletion {
  /** Until then it can be restored, unless that was given up; from then on its rows go. Milliseconds since 1970. */
  readonly removedFrom: number;
  /** The job that removes it. */
  readonly job: Job;
}

/** A repeat changes nothing: whether an earlier attempt happened makes no difference. */
export async function deleteAt(
  transport: Transport,
  path: string,
  { confirm, erase, graceInSeconds: graceSeconds, ...options }: DeleteOptions,
): Promise<Deletion | undefined> {
  const call: Call = {
    ...{ method: "DELETE", path, query: { confirm, erase, graceSeconds } },
    refutes: () => false,
  };
  const { body, status } = await transport.answer(call, options);
  return status === 202 ? (body as Deletion) : undefined;
}

export async function restoreAt(transport: Transport, path: string, options: OperationOptions): Promise<void> {
  await transport.send({ method: "POST", path: `${path}/restore`, refutes: () => false }, options);
}

// The storage of a local server, in the place of an account on Azure: tables and queues in memory, with the service's
// exact semantics. The build puts this module where the app asks for the account (build.ts).
//
// Promise: with a folder, what was answered is there after the next start.

import type { QueueServiceClient } from "@azure/storage-queue";
import type { QueueAccount } from "../../../../src/notify/queue.ts";
import { systemClock } from "../../../../src/system.ts";
import type { TableAccount } from "../../../../src/table/port.ts";
import { SimulatedAccount } from "../../../../test/doubles/simulated-table.ts";
import { openJournal } from "./journal.ts";
import { LocalQueues } from "./queues.ts";

const account = new SimulatedAccount({ clock: systemClock });
const queues = new LocalQueues(account.table("localqueues"), systemClock);

/** Once, before the app is loaded. Throws a `Refusal` when the folder cannot be used. */
export function openStorage(folder: string | undefined): { close(): void } {
  return folder === undefined ? { close: () => undefined } : openJournal(folder, account);
}

/** As the Azure side has it. */
export const createTableAccount = (): TableAccount => account;

export const createQueueAccount = (): QueueAccount => queues.account;

/** For the triggers of the local host, which know a queue as the SDK's client has it. */
export function openQueueService(): Promise<QueueServiceClient> {
  const service: Pick<QueueServiceClient, "getQueueClient"> = { getQueueClient: (name) => queues.client(name) };
  return Promise.resolve(service as QueueServiceClient);
}

// The storage of a measure: an emulator in memory, in a process of its own, and instances of the store over it.
// Promise: it is gone when the measure ends, however it ends.

import { randomUUID } from "node:crypto";

import { zstdCompressor } from "../src/codec/zstd.ts";
import type { StoreId } from "../src/core/ids.ts";
import { parseStoreId } from "../src/core/ids.ts";
import { silentLogger } from "../src/core/logger.ts";
import { startAzurite } from "../scripts/local/azurite.ts";
import { createQueueStatusNotifier } from "../src/notify/status-notifier.ts";
import { createQueueAccount } from "../src/notify/storage-queue.ts";
import type { AzureStoreFactory } from "../src/store/azure/factory.ts";
import { createAzureStoreFactory } from "../src/store/azure/factory.ts";
import type { StorageConnection } from "../src/table/connection.ts";
import { parseConnection } from "../src/table/connection.ts";
import type { TableAccount } from "../src/table/port.ts";
import { createTableAccount } from "../src/table/sdk.ts";
import { systemClock as clock, systemRandom as random } from "../test/system.ts";

export async function withStorage<T>(use: (connectionString: string) => Promise<T>): Promise<T> {
  const azurite = startAzurite({ location: undefined, ports: "free" });
  try {
    return await use(await azurite.ready);
  } finally {
    await azurite.child.stop();
  }
}

export function connect(connectionString: string): StorageConnection {
  return parseConnection({ STREAMKIT_STORAGE: connectionString });
}

export function tablesOf(connectionString: string): TableAccount {
  return createTableAccount(connect(connectionString), { clock, random });
}

export interface InstanceOptions {
  readonly notifications?: "on" | "off";
}

/** A process of the app as the store sees it: what it knows it shares with no other. */
export function startInstance(
  connectionString: string,
  { notifications = "off" }: InstanceOptions = {},
): AzureStoreFactory {
  const queue = (): ReturnType<ReturnType<typeof createQueueAccount>["queue"]> =>
    createQueueAccount(connect(connectionString), { clock }).queue(`status-${randomUUID()}`);
  return createAzureStoreFactory({
    account: tablesOf(connectionString),
    notifier: notifications === "on" ? createQueueStatusNotifier(queue()) : undefined,
    compressor: zstdCompressor,
    clock,
    random,
    logger: silentLogger,
  });
}

/**
 * A store that nobody has written: a table of its own, because the emulator's queries take longer the more rows there
 * are.
 */
export function newStore(): StoreId {
  return parseStoreId(randomUUID());
}

/** Reads to the end. Gives how many there were. */
export async function drain(items: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  const iterator = items[Symbol.asyncIterator]();
  while ((await iterator.next()).done !== true) count += 1;
  return count;
}

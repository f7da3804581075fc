// Reading several spaces together costs about what is answered: counted are bytes and requests of the storage, and
// bytes held.

import { afterEach, beforeEach, expect, test } from "vitest";

import { plainCompressor } from "../../../../../src/codec/block.ts";
import type { Entry } from "../../../../../src/core/entry.ts";
import { noMetadata } from "../../../../../src/core/entry.ts";
import { silentLogger } from "../../../../../src/core/logger.ts";
import type { Cursor, SpaceName } from "../../../../../src/core/ids.ts";
import { parseSegmentName, parseSpaceName, parseStoreId } from "../../../../../src/core/ids.ts";
import { encodeCursor } from "../../../../../src/codec/cursor.ts";
import { Budget } from "../../../../../src/server/overload.ts";
import type { AzureStoreFactory } from "../../../../../src/store/azure/factory.ts";
import { createAzureStoreFactory } from "../../../../../src/store/azure/factory.ts";
import type { ConsumeArgs, Store } from "../../../../../src/store/store.ts";
import { countingAccount } from "../../../../doubles/counting.ts";
import { SimulatedAccount } from "../../../../doubles/simulated-table.ts";
import { systemClock, systemRandom } from "../../../../system.ts";

const payloadBytes = 300 * 1024;
const spaces = Array.from({ length: 30 }, (_, index) => parseSpaceName(`space ${index}`));
const perSpace = 4;

const account = countingAccount(new SimulatedAccount({ clock: systemClock }));
let held = 0;
class Seen extends Budget {
  override count(...args: Parameters<Budget["count"]>): void {
    super.count(...args);
    held = Math.max(held, this.used);
  }
}
const budget: Budget = new Seen("reads", 64 * 1024 * 1024);
let factory: AzureStoreFactory;
let store: Store;

function open(memory = budget): void {
  factory = createAzureStoreFactory({
    ...{ account, notifier: undefined, compressor: plainCompressor, clock: systemClock, random: systemRandom },
    logger: silentLogger,
    openMemory: (id) => memory.open({ caller: "readers", store: id }),
  });
  store = factory.open(parseStoreId("00112233-4455-6677-8899-aabbccddeeff"));
}

beforeEach(async () => {
  open();
  for await (const name of store.getSpaces()) if (name === spaces[0]) return;
  for (const space of spaces) {
    for (let record = 0; record < perSpace; record += 1) {
      const payload = Buffer.alloc(payloadBytes, record);
      const produced = store.produce(space, parseSegmentName("g"), [{ payload, metadata: noMetadata }]);
      for await (const chunk of produced) expect(chunk.transaction?.duplicate).toBe(false);
    }
  }
});
afterEach(() => factory.close());

const fromStart = new Map<SpaceName, Cursor>(spaces.map((space) => [space, "" as Cursor]));

async function read(args: Omit<ConsumeArgs, "offsets">, offsets = fromStart): Promise<readonly Entry[]> {
  account.reset();
  held = 0;
  const entries: Entry[] = [];
  for await (const entry of store.consume({ offsets, ...args })) entries.push(entry);
  expect(budget.used).toBe(0);
  return entries;
}

test.each([1, 2, 5])(
  "%i entries of thirty spaces read at most twice their bytes, and the keys of a row each",
  async (limit) => {
    const entries = await read({ limit });
    expect(entries).toHaveLength(limit);
    const answered = limit * payloadBytes;
    expect(account.counts.bytesRead).toBeLessThan(2 * answered + spaces.length * 2_000);
    expect(account.counts.requests).toBeLessThanOrEqual(spaces.length + 2 * limit);
    expect(held).toBeLessThan(5 * answered);
  },
);

test("from cursors, one entry needs no look at the other spaces", async () => {
  const all = await read({});
  const cursor = encodeCursor(all[0]!);
  const offsets = new Map(fromStart).set(all[0]!.space, cursor);
  const [second] = await read({ limit: 1 }, offsets);
  expect(second).toEqual(all[1]);
  expect(account.counts.bytesRead).toBeLessThan(5 * payloadBytes);
});

test("all of them is each byte once, in the one order, with a record or two of a space held", async () => {
  const entries = await read({});
  expect(entries).toHaveLength(spaces.length * perSpace);
  expect(entries.map(({ timestamp }) => timestamp)).toEqual(
    entries.map(({ timestamp }) => timestamp).sort((a, b) => a - b),
  );
  expect(account.counts.bytesRead).toBeLessThan(1.1 * entries.length * payloadBytes);
  expect(held).toBeLessThan(3 * spaces.length * payloadBytes);
});

test("a read that finds no room ends as overloaded, and holds nothing then", async () => {
  const small = new Budget("reads", 100_000);
  open(small);
  await expect(read({})).rejects.toMatchObject({ code: "overloaded", effect: "none" });
  expect(small.used).toBe(0);
});

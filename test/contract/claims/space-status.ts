// What a space is told to have: as much as a reader of the space is given.

import { expect } from "vitest";
import { contentBytes } from "../../../src/core/entry.ts";
import type { SpaceName } from "../../../src/core/ids.ts";
import type { Store } from "../../../src/store/store.ts";
import type { Claim } from "../backend.ts";
import { claim } from "../backend.ts";
import { first, orders, produce, records, segment, space, spaceEntries } from "../given.ts";

const second = segment("second");

export const spaceStatusClaims: readonly Claim[] = [
  claim(
    "a space is told to have what a reader of it is given, whatever was written to it and trimmed",
    async (context) => {
      const { store, other } = context;
      await expectTrue(store);
      for (let index = 0; index < 4; index += 1) {
        await produce(index % 2 === 0 ? store : other, index < 2 ? first : second, records(1 + index));
        await expectTrue(other);
      }
      await store.produceAll(orders, [
        { segment: first, records: records(2) },
        { segment: second, records: records(3) },
      ]);
      await expectTrue(store);
      const entries = await spaceEntries(store);
      for (const index of [0, 3, 6]) {
        await trimmed(other, entries[index]!.timestamp);
        await expectTrue(store);
        await expectTrue(other);
      }
      await produce(store, second, records(2));
      await expectTrue(other);
      await trimmed(store, (await spaceEntries(store)).at(-1)!.timestamp + 1);
      expect(await other.getSpaceStatus(orders)).toMatchObject({ counts: { entries: 0, bytes: 0 }, firstTimestamp: 0 });
      await produce(other, first, records(1));
      await expectTrue(store);
    },
  ),

  claim("what a repeat and a refused produce bring is counted once, and not at all", async ({ store, other }) => {
    const transactionId = crypto.randomUUID() as never;
    await produce(store, first, records(3), { transactionId });
    await produce(other, first, records(3), { transactionId });
    const late = records(1).map((record) => ({ ...record, sequence: 9 }));
    await expect(produce(store, first, late)).rejects.toMatchObject({ code: "sequence_mismatch" });
    expect((await store.getSpaceStatus(orders)).counts?.entries).toBe(3);
    await expectTrue(other);
  }),

  claim("a space that never was has nothing", async ({ store }) => {
    const name = space("nobody's");
    expect(await store.getSpaceStatus(name)).toEqual({
      ...{ space: name, counts: { entries: 0, bytes: 0 }, pending: 0, firstTimestamp: 0, lastTimestamp: 0 },
    });
  }),
];

/** Against a walk. */
async function expectTrue(store: Store, name: SpaceName = orders): Promise<void> {
  const entries = await spaceEntries(store, name);
  const status = await store.getSpaceStatus(name);
  const bytes = entries.reduce((sum, entry) => sum + contentBytes(entry), 0);
  expect(status).toMatchObject({
    ...{ space: name, counts: { entries: entries.length, bytes } },
    ...{ firstTimestamp: entries[0]?.timestamp ?? 0, lastTimestamp: entries.at(-1)?.timestamp ?? 0 },
  });
}

async function trimmed(store: Store, timestamp: number): Promise<void> {
  while ((await store.trimSpace(orders, { timestamp })).state !== "done") {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

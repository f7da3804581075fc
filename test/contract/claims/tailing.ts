// A reader that follows a space while it is written to sees every entry exactly once and in order.

import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { encodeCursor } from "../../../src/codec/cursor.ts";
import type { Entry } from "../../../src/core/entry.ts";
import type { Cursor } from "../../../src/core/ids.ts";
import type { Store } from "../../../src/store/store.ts";
import type { Claim } from "../backend.ts";
import { claim } from "../backend.ts";
import { all, expectSame, orders, produce, records, segment, spaceEntries } from "../given.ts";

const writers = 8;
const segments = 50;
const producesOfEach = 25;

export const tailingClaims: readonly Claim[] = [
  claim(
    "while eight writers produce to 50 segments, by cursor, page by page, from either instance",
    async (context) => {
      const { store, other } = context;
      const acknowledged: string[] = [];
      let writing = true;
      const write = async (writer: number): Promise<void> => {
        const instance = writer % 2 === 0 ? store : other;
        for (let index = 0; index < producesOfEach; index += 1) {
          const of = segment(`s${(writer * 31 + index * 17) % segments}`);
          const given = records(1 + ((writer + index) % 4), `${writer}-${index}`);
          for (const { transaction } of await produce(instance, of, given)) {
            const { firstSequence, lastSequence } = transaction!;
            for (let sequence = firstSequence; sequence <= lastSequence; sequence += 1)
              acknowledged.push(`${of}/${sequence}`);
          }
        }
      };
      const readers = [tail(store, 7, () => writing), tail(other, 100, () => writing)];
      try {
        await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
      } finally {
        writing = false;
      }
      const whole = await spaceEntries(store);
      expect(new Set(whole.map(({ segment: of, sequence }) => `${of}/${sequence}`))).toEqual(new Set(acknowledged));
      expect(whole).toHaveLength(acknowledged.length);
      for (const seen of await Promise.all(readers)) expectSame(seen, whole);
      const lasts = new Map<string, number>();
      for (const { segment: of, sequence } of whole) {
        expect(sequence).toBe((lasts.get(of) ?? 0) + 1);
        lasts.set(of, sequence);
      }
      expect(lasts.size).toBe(segments);
    },
  ),
];

/** Reads pages from cursor to cursor, as long as it is told to and then to the end. */
async function tail(store: Store, limit: number, goOn: () => boolean): Promise<Entry[]> {
  const seen: Entry[] = [];
  let offset = "" as Cursor;
  for (;;) {
    const last = !goOn();
    const page = await all(store.consumeSpace(orders, { offset, limit }));
    seen.push(...page);
    const end = page.at(-1);
    if (end !== undefined) offset = encodeCursor(end);
    else if (last) return seen;
    else await delay(2);
    if (seen.length > 100_000) expect.fail("the reader sees more than was ever written");
  }
}

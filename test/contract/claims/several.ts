// Several spaces are read as one, merged by time; none of them is ever left out in silence.

import { expect } from "vitest";
import { encodeCursor } from "../../../src/codec/cursor.ts";
import type { Entry } from "../../../src/core/entry.ts";
import type { Cursor, SpaceName } from "../../../src/core/ids.ts";
import type { Claim, Context } from "../backend.ts";
import { claim } from "../backend.ts";
import {
  all,
  expectSame,
  first,
  produce,
  records,
  refused,
  segment,
  space,
  spaceEntries,
  untilError,
} from "../given.ts";

const spaces = ["a", "a1", "b"].map((name) => space(name));
const start = "" as Cursor;

export const severalClaims: readonly Claim[] = [
  claim(
    "spaces are merged by timestamp, space, segment and sequence, only the spaces that were named",
    async (context) => {
      const entries = await given(context);
      expectSame(await all(context.other.consume({ offsets: offsets(spaces) })), entries);
      expectSame(await all(context.other.consume({ offsets: offsets(spaces.toReversed()) })), entries);
      const some = entries.filter(({ space: of }) => of !== "a1");
      expectSame(await all(context.store.consume({ offsets: offsets([spaces[0]!, spaces[2]!]) })), some);
      expectSame(
        await all(context.store.consume({ offsets: offsets([spaces[1]!]) })),
        await spaceEntries(context.store, spaces[1]),
      );
    },
  ),

  claim("each space goes on from its own cursor", async (context) => {
    const entries = await given(context);
    for (let seen = 0; seen <= entries.length; seen += 3) {
      const places = new Map(offsets(spaces));
      for (const entry of entries.slice(0, seen)) places.set(entry.space, encodeCursor(entry));
      expectSame(await all(context.other.consume({ offsets: places })), entries.slice(seen));
    }
    const ahead = new Map([[spaces[0]!, start], [spaces[2]!, encodeCursor(entries.findLast((entry) => entry.space === "b")!)]]); // prettier-ignore
    expectSame(await all(context.store.consume({ offsets: ahead })), await spaceEntries(context.store, spaces[0]));
  }),

  claim("a space that does not exist is empty, and the others come as they are", async (context) => {
    const entries = await given(context);
    const named = offsets([space("0"), ...spaces, space("missing")]);
    expectSame(await all(context.other.consume({ offsets: named })), entries);
    expect(await all(context.other.consume({ offsets: offsets([space("missing")]) }))).toEqual([]);
  }),

  claim("limit is over all spaces together; after and until hold for each", async (context) => {
    const entries = await given(context);
    for (const limit of [0, 1, 5, entries.length, entries.length + 1]) {
      const found = await all(context.other.consume({ offsets: offsets(spaces), limit }));
      expectSame(found, entries.slice(0, limit || Infinity));
    }
    const [after, until] = [entries[4]!.timestamp, entries[13]!.timestamp];
    expectSame(
      await all(context.other.consume({ offsets: offsets(spaces), after, until })),
      entries.filter(({ timestamp }) => timestamp > after && timestamp <= until),
    );
  }),

  claim("a cursor of another space is refused, whichever of them it was given for", async (context) => {
    const entries = await given(context);
    const cursor = encodeCursor(entries.find((entry) => entry.space === "a")!);
    for (const misplaced of ["a1", "b", "missing"]) {
      const named = new Map([...offsets(spaces), [space(misplaced), cursor]]);
      await refused(context.other.consume({ offsets: named }), "invalid_argument");
    }
  }),

  claim("one space that cannot be read fails the whole, after what came before it in time", async (context) => {
    const entries = await given(context);
    const spoilt = entries.findIndex((entry, index) => index > 6 && entry.space === "a1");
    await context.backend.faults.corrupt(context.id, "space", entries[spoilt]!);
    const { read, error } = await untilError(context.other.consume({ offsets: offsets(spaces) }));
    expect(error).toMatchObject({ code: "corrupt_data" });
    expect(read.length).toBeLessThanOrEqual(spoilt);
    expectSame(read, entries.slice(0, read.length));
    await refused(context.store.consume({ offsets: offsets([space("missing"), spaces[1]!]) }), "corrupt_data");
  }),
];

/** Eighteen commits, in turn to each space, to two segments. */
async function given({ store, other }: Context): Promise<Entry[]> {
  for (let index = 0; index < 18; index += 1) {
    const within = spaces[index % 3]!;
    const of = index % 2 === 0 ? first : segment("order-2");
    await produce(index % 4 < 2 ? store : other, of, records(1 + (index % 2), `${index}`), { space: within });
  }
  await produce(store, first, records(3, "not named"), { space: space("c") });
  const entries = (await Promise.all(spaces.map((within) => spaceEntries(store, within)))).flat();
  expect(entries).toHaveLength(27);
  return entries.sort(
    (a, b) =>
      a.timestamp - b.timestamp ||
      Buffer.compare(Buffer.from(a.space), Buffer.from(b.space)) ||
      Buffer.compare(Buffer.from(a.segment), Buffer.from(b.segment)) ||
      a.sequence - b.sequence,
  );
}

function offsets(named: readonly SpaceName[]): Map<SpaceName, Cursor> {
  return new Map(named.map((name) => [name, start]));
}

// Of producers that race for the same sequences exactly one wins, the others are told, and nothing of theirs is ever
// seen.

import { expect } from "vitest";
import { StoreError } from "../../../src/core/errors.ts";
import type { Claim, Context } from "../backend.ts";
import { claim } from "../backend.ts";
import {
  expectContent,
  first,
  from,
  orders,
  produce,
  records,
  segment,
  segmentEntries,
  spaceEntries,
} from "../given.ts";

export const racingClaims: readonly Claim[] = [
  ...[2, 4, 16].map((producers) =>
    claim(
      `${producers} racing producers of the same sequences: one wins, every loser is told so and leaves nothing`,
      (context) => race(context, producers),
    ),
  ),

  claim("sixteen producers racing at the tail of a segment all get a place of their own", async ({ store, other }) => {
    const requests = Array.from({ length: 16 }, (_, index) => records(3, `producer ${index}`));
    const chunks = await Promise.all(
      requests.map((given, index) => produce(index % 2 === 0 ? store : other, first, given)),
    );
    const entries = await segmentEntries(store, first);
    expect(entries.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 48 }, (_, index) => index + 1));
    for (const [index, [chunk]] of chunks.entries()) {
      const firstSequence = chunk?.transaction?.firstSequence ?? 0;
      expectContent(entries.slice(firstSequence - 1, firstSequence + 2), requests[index]!, firstSequence);
    }
    expect((await spaceEntries(other)).length).toBe(48);
  }),

  claim("producers racing to segments of their own do not stand in each other's way", async ({ store, other }) => {
    const segments = Array.from({ length: 16 }, (_, index) => segment(`order-${index}`));
    await Promise.all(
      segments.map((of, index) => produce(index % 2 === 0 ? store : other, of, from(1, records(2, String(index))))),
    );
    for (const [index, of] of segments.entries()) {
      expectContent(await segmentEntries(other, of), records(2, String(index)));
    }
    expect(await spaceEntries(store)).toHaveLength(32);
  }),
];

/** Three rounds, so that the segment is new in one and warm in the others. */
async function race({ store, other }: Context, producers: number): Promise<void> {
  const written = [];
  for (let round = 0; round < 3; round += 1) {
    const requests = Array.from({ length: producers }, (_, index) => records(4, `round ${round} producer ${index}`));
    const outcomes = await Promise.allSettled(
      requests.map((given, index) => produce(index % 2 === 0 ? store : other, first, from(written.length + 1, given))),
    );
    const winners = outcomes.flatMap((outcome, index) =>
      outcome.status === "fulfilled" ? [{ id: outcome.value[0]?.transaction?.id, given: requests[index]! }] : [],
    );
    expect(winners).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === "fulfilled") continue;
      if (!(outcome.reason instanceof StoreError)) throw outcome.reason;
      expect(outcome.reason).toMatchObject({ code: "sequence_mismatch", effect: "none" });
      expect(outcome.reason.details).toMatchObject({
        expected: written.length + 5,
        received: written.length + 1,
        winner: winners[0]?.id,
      });
    }
    written.push(...winners[0]!.given);
    for (const view of [store, other]) {
      expectContent(await segmentEntries(view, first), written);
      expectContent(await spaceEntries(view, orders), written);
    }
  }
}

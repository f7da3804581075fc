// The callers that read a part of a space (L6): between two times, and from its newest entries on; while rows are
// merged and trimmed.

import type { Cursor } from "../../src/core/ids.ts";
import { comparePlaces, parseCursor } from "../../src/codec/cursor.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { Store } from "../../src/store/store.ts";
import type { Chance } from "./chance.ts";
import { isSame } from "./stored.ts";
import type { LogEntry, SpaceTruth } from "./truth.ts";
import type { World } from "./world.ts";

/** Trying again later may help; a tail of a space whose rows are being merged is asked for again, too. */
const waits: ReadonlySet<string> = new Set(["storage_unavailable", "throttled", "overloaded"]);

export class BoundedReaders {
  readonly #world: World;
  isOver = false;

  constructor(world: World) {
    this.#world = world;
  }

  async run(chance: Chance): Promise<void> {
    const { scenario, timeline, verdict } = this.#world;
    while (!this.isOver) {
      await timeline.sleep(chance.pick([20, 200, 2_000]) * chance.fraction());
      const { live } = this.#world;
      if (live.length === 0) continue;
      const instance = chance.pick(live);
      const space = this.#world.space(chance.pick(scenario.spaces).name);
      const isTail = chance.happens(0.5);
      const work = isTail ? this.tail(instance.store, space, chance) : this.times(instance.store, space, chance);
      const ended = work.then(
        () => undefined,
        (error: unknown) => ({ error }),
      );
      const outcome = await Promise.race([ended, instance.crashed]);
      if (outcome === undefined || outcome === "crashed") continue;
      const { error } = outcome;
      const isExpected = error instanceof StoreError && waits.has(error.code);
      verdict.check(isExpected, "I7", () => `a read of a part of ${space.name} ended with ${String(error)}`);
    }
  }

  /** Everything after a time up to another, but what is trimmed. */
  async times(store: Store, space: SpaceTruth, chance: Chance): Promise<void> {
    const { verdict } = this.#world;
    const { order } = space;
    if (order.length === 0) return;
    const [one, other] = [chance.pick(order).timestamp, chance.pick(order).timestamp];
    const [after, until] = [Math.min(one, other) - chance.integer(0, 1), Math.max(one, other)];
    const isWithin = ({ timestamp }: LogEntry): boolean => timestamp > after && timestamp <= until;
    const wanted = order.filter(isWithin);
    const where = `a read of ${space.name} after ${after} until ${until}`;
    let next = 0;
    // What is left out was trimmed by the time it is passed.
    const skip = (isBefore: (entry: LogEntry) => boolean): void => {
      for (let left = wanted[next]; left !== undefined && isBefore(left); left = wanted[next]) {
        const { segment, sequence, timestamp } = left;
        const isGone = timestamp <= space.goneThrough;
        verdict.check(isGone, "L6", () => `${where} leaves out ${segment} ${sequence} at ${timestamp}`);
        next += 1;
      }
    };
    for await (const entry of store.consumeSpace(space.name, { after, until, clamp: true })) {
      skip((left) => comparePlaces(left, entry) < 0);
      isSame(entry, wanted[next], verdict, where);
      next += 1;
    }
    skip(() => true);
  }

  /** The place that so many of the newest follow, as of some moment of the call. */
  async tail(store: Store, space: SpaceTruth, chance: Chance): Promise<void> {
    const { verdict } = this.#world;
    const count = chance.pick([1, 2, 5, 20]);
    const [begun, goneThen] = [space.order.length, goneOf(space)];
    const cursor = await store.spaceTail(space.name, count);
    const behind = entriesBefore(space, cursor);
    const isWhole = behind >= begun - count && behind <= space.order.length - count;
    // There are fewer: it begins with what there is.
    const isBeginning = behind >= Math.max(goneThen, begun - count) && behind <= goneOf(space);
    verdict.check(
      isWhole || isBeginning,
      "L6",
      () =>
        `the last ${count} of ${space.name} follow ${behind} entries; there were ${begun}, then ${space.order.length}`,
    );
  }
}

function goneOf({ goneThrough, order }: SpaceTruth): number {
  return order.findLastIndex(({ timestamp }) => timestamp <= goneThrough) + 1;
}

function entriesBefore({ order }: SpaceTruth, cursor: Cursor): number {
  if (cursor === "") return 0;
  const place = parseCursor(cursor);
  return order.findLastIndex((entry) => comparePlaces(entry, place) <= 0) + 1;
}

// The callers that trim segments and spaces (L1, L2), at any instance, beside everything else.
//
// What they ask for is noted before they ask, what they are told when they are told: the watch over the writes judges
// the one, readers that begin later the other.

import { encodeCursor } from "../../src/codec/cursor.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { TrimPoint } from "../../src/store/store.ts";
import type { Chance } from "./chance.ts";
import type { SegmentTruth, SpaceTruth } from "./truth.ts";
import type { Instance, World } from "./world.ts";

/** Beyond any end. */
const beyond = 1_000_000;

export class Trimmers {
  readonly #world: World;
  isOver = false;

  constructor(world: World) {
    this.#world = world;
  }

  async run(chance: Chance): Promise<void> {
    const { scenario, timeline } = this.#world;
    while (!this.isOver) {
      await timeline.sleep(chance.pick([20, 200, 2_000]) * chance.fraction());
      const { live } = this.#world;
      if (live.length === 0) continue;
      const instance = chance.pick(live);
      const { name, segments } = chance.pick(scenario.spaces);
      const space = this.#world.space(name);
      const segment = space.segment(chance.pick(segments));
      await this.#at(instance, () =>
        chance.happens(0.5) ? this.segment(instance, space, segment, chance) : this.space(instance, space, chance),
      );
    }
  }

  async segment(instance: Instance, space: SpaceTruth, segment: SegmentTruth, chance: Chance): Promise<void> {
    const { history, scenario, timeline, verdict } = this.#world;
    const { length } = segment;
    const before = chance.happens(0.2) ? beyond : 1 + chance.integer(0, length);
    segment.asked = Math.max(segment.asked, before);
    history.note(instance.name, () => `trim of ${segment.name} before ${before}`);
    const status = await instance.store.trimSegment(space.name, segment.name, before);
    history.note(instance.name, () => `trimmed ${segment.name}: it begins at ${status.firstSequence}`);
    // What is committed when the call comes is in the segment before it is trimmed.
    const wanted = Math.min(before, length + 1);
    const isWhole = scenario.settings.trimTransactionsMax !== 50 || length === 0 || status.firstSequence >= wanted;
    verdict.check(isWhole, "L2", () => `a trim of ${segment.name} before ${before} ended at ${status.firstSequence}`);
    verdict.check(
      status.firstSequence <= segment.first,
      "L2",
      () => `${segment.name} is said to begin later than it does`,
    );
    segment.trims.push({ at: timeline.now, first: status.firstSequence });
  }

  async space(instance: Instance, space: SpaceTruth, chance: Chance): Promise<void> {
    const { history, timeline, verdict } = this.#world;
    const order = [...space.order];
    if (order.length === 0) return;
    const entry = chance.pick(order);
    const isByOffset = chance.happens(0.3);
    const before: TrimPoint = isByOffset
      ? { offset: encodeCursor({ ...entry, space: space.name }) }
      : { timestamp: entry.timestamp + chance.integer(0, 1) };
    // An offset may be the end of its commit.
    const end = "timestamp" in before ? before.timestamp : entry.timestamp + 1;
    space.asked = Math.max(space.asked, end);
    history.note(instance.name, () => `trim of ${space.name} before ${end}`);
    const trim = await instance.store.trimSpace(space.name, before);
    history.note(instance.name, () => `trimmed ${space.name}: ${JSON.stringify(trim)}`);
    if (trim.state !== "done") return;
    // Those at the offset's own time stay, unless it is the end of their commit.
    const first = "timestamp" in before ? before.timestamp : entry.timestamp;
    const left = order.find(({ timestamp }) => timestamp < first && timestamp > space.goneThrough);
    verdict.check(
      left === undefined,
      "L2",
      () => `${space.name} has the record at ${left?.timestamp}, trimmed before ${first}`,
    );
    const { now } = timeline;
    space.trims.push({ at: now, first });
    for (const segment of space.segments.values()) {
      const gone = order.findLast((one) => one.segment === segment.name && one.timestamp < first);
      segment.trims.push({ at: now, first: (gone?.sequence ?? 0) + 1 });
    }
  }

  /** Errors of the storage, and of what the instance may not write, are a caller's to live with. */
  async #at(instance: Instance, trim: () => Promise<void>): Promise<void> {
    const ended = trim().then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    const outcome = await Promise.race([ended, instance.crashed]);
    if (outcome === undefined || outcome === "crashed") return;
    const { error } = outcome;
    const expected = new Set(["storage_unavailable", "throttled", "overloaded"]);
    if (instance.format === 1) expected.add("format_not_enabled");
    const isExpected = error instanceof StoreError && expected.has(error.code);
    this.#world.verdict.check(isExpected, "I7", () => `a trim ended with ${String(error)}`);
  }
}

// The callers that read (I3, I6): spaces from cursor to cursor, segments, names, what is last.
//
// What they see is compared with the log entry by entry, and a read that ended must have seen what was there when it began.

import { encodeCursor } from "../../src/codec/cursor.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { Cursor, SpaceName } from "../../src/core/ids.ts";
import type { Store } from "../../src/store/store.ts";
import type { Chance } from "./chance.ts";
import { isSame } from "./derived-watch.ts";
import type { SpaceTruth } from "./truth.ts";
import type { Instance, World } from "./world.ts";

export class Readers {
  readonly #world: World;
  isOver = false;

  constructor(world: World) {
    this.#world = world;
  }

  /** Follows one space from its start, now at this instance, now at that. */
  async tail(chance: Chance): Promise<void> {
    const { scenario, timeline } = this.#world;
    const space = this.#world.space(chance.pick(scenario.spaces).name);
    const reader = new SpaceReader(this.#world, space);
    while (!this.isOver) {
      const { live } = this.#world;
      if (live.length > 0) {
        const instance = chance.pick(live);
        await this.#at(instance, () => reader.read(instance.store, chance.pick([1, 2, 5, 0])));
      }
      await timeline.sleep(chance.pick([5, 50, 500]) * chance.fraction());
    }
  }

  /** Looks at segments and names. */
  async look(chance: Chance): Promise<void> {
    const { scenario, timeline } = this.#world;
    while (!this.isOver) {
      const { live } = this.#world;
      const { name, segments } = chance.pick(scenario.spaces);
      const space = this.#world.space(name);
      const segment = chance.pick(segments);
      if (live.length > 0) {
        const instance = chance.pick(live);
        const what = chance.pick(["segment", "last", "names"] as const);
        await this.#at(instance, () => {
          if (what === "segment")
            return this.segment(instance.store, space, segment, chance.integer(1, 1 + space.segment(segment).applied));
          return what === "last" ? this.last(instance.store, space, segment) : this.names(instance.store);
        });
      }
      await timeline.sleep(chance.pick([20, 200, 2_000]) * chance.fraction());
    }
  }

  async segment(store: Store, space: SpaceTruth, name: Parameters<Store["peek"]>[1], from: number): Promise<void> {
    const { verdict } = this.#world;
    const truth = space.segment(name);
    const { applied } = truth;
    let next = from;
    for await (const entry of store.consumeSegment(space.name, name, { from })) {
      verdict.check(entry.sequence === next, "I2", () => `segment ${name} reads ${entry.sequence} where ${next} comes`);
      isSame(entry, truth.entries[next - 1], verdict, `a read of segment ${name}`);
      next += 1;
    }
    verdict.check(next > applied, "I1", () => `a read of segment ${name} ended at ${next - 1}; ${applied} was there`);
  }

  /** After the time of each of some entries, as many as the next two. */
  async segmentFromTimes(store: Store, space: SpaceTruth, name: Parameters<Store["peek"]>[1]): Promise<void> {
    const { verdict } = this.#world;
    const { entries } = space.segment(name);
    const limit = 2;
    const times = [...new Set(entries.map(({ timestamp }) => timestamp))].filter((_, index) => index % 3 === 0);
    for (const after of times) {
      const wanted = entries.filter(({ timestamp }) => timestamp > after).slice(0, limit);
      const found: number[] = [];
      for await (const entry of store.consumeSegment(space.name, name, { after, limit })) {
        isSame(entry, entries[entry.sequence - 1], verdict, `a read of segment ${name} after ${after}`);
        found.push(entry.sequence);
      }
      const right = wanted.map(({ sequence }) => sequence).join(" ");
      verdict.check(
        found.join(" ") === right,
        "I1",
        () => `a read of segment ${name} after ${after} gave ${found.join(" ")}, not ${right}`,
      );
    }
  }

  async last(store: Store, space: SpaceTruth, name: Parameters<Store["peek"]>[1]): Promise<void> {
    const { verdict } = this.#world;
    const truth = space.segment(name);
    const { applied } = truth;
    const entry = await store.peek(space.name, name);
    if (entry !== undefined) isSame(entry, truth.entries[entry.sequence - 1], verdict, `peek of ${name}`);
    verdict.check(
      (entry?.sequence ?? 0) >= applied,
      "I1",
      () => `peek of ${name} is ${entry?.sequence}; ${applied} was there`,
    );
    const status = await store.getSegmentStatus!(space.name, name);
    verdict.check(status.lastSequence >= (entry?.sequence ?? 0), "I1", () => `the status of ${name} goes back`);
  }

  async names(store: Store): Promise<void> {
    const spaces = [...this.#world.spaces.values()];
    const wanted = spaces.filter(({ acknowledged }) => acknowledged).map(({ name }) => name);
    const found: SpaceName[] = [];
    for await (const name of store.getSpaces()) found.push(name);
    this.#areNames("spaces", found, wanted);
    for (const space of spaces) {
      const segments = [...space.segments.values()].filter(({ acknowledged }) => acknowledged).map(({ name }) => name);
      const seen: string[] = [];
      for await (const name of store.getSegments(space.name)) seen.push(name);
      this.#areNames(`segments of ${space.name}`, seen, segments);
    }
  }

  #areNames(what: string, found: readonly string[], wanted: readonly string[]): void {
    const { verdict } = this.#world;
    const missing = wanted.filter((name) => !found.includes(name));
    verdict.check(missing.length === 0, "I5", () => `the ${what} lack ${missing.join(", ")}`);
    const sorted = [...found].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    verdict.check(
      sorted.join("\n") === found.join("\n"),
      "I3",
      () => `the ${what} are out of order: ${found.join(", ")}`,
    );
  }

  /** Errors of the storage are a reader's to live with; others are not. */
  async #at(instance: Instance, read: () => Promise<void>): Promise<void> {
    const outcome = await Promise.race([
      read().then(
        () => undefined,
        (error: unknown) => ({ error }),
      ),
      instance.crashed,
    ]);
    if (outcome === undefined || outcome === "crashed") return;
    const { error } = outcome;
    const isExpected =
      error instanceof StoreError && (error.code === "storage_unavailable" || error.code === "throttled");
    this.#world.verdict.check(isExpected, "I7", () => `a read ended with ${String(error)}`);
  }
}

export class SpaceReader {
  readonly #world: World;
  readonly #space: SpaceTruth;
  #cursor = "" as Cursor;
  /** How many entries it has seen. */
  seen = 0;

  constructor(world: World, space: SpaceTruth) {
    this.#world = world;
    this.#space = space;
  }

  /** Goes on from the cursor; `limit` 0: to the end. */
  async read(store: Store, limit: number): Promise<void> {
    const { verdict } = this.#world;
    const space = this.#space;
    const there = space.order.length;
    let read = 0;
    for await (const entry of store.consumeSpace(space.name, { offset: this.#cursor, limit })) {
      isSame(entry, space.order[this.seen], verdict, `reading ${space.name} after ${this.seen} entries`);
      this.seen += 1;
      read += 1;
      this.#cursor = encodeCursor(entry);
    }
    const isWhole = (limit > 0 && read === limit) || this.seen >= there;
    verdict.check(isWhole, "I1", () => `a read of ${space.name} ended after ${this.seen} entries; ${there} were there`);
  }
}

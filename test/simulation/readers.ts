// The callers that read (I3, I6): spaces from cursor to cursor, segments, names, what is last.
//
// What they see is compared with the log entry by entry, and a read that ended must have seen what was there when it
// began.

import { comparePlaces, encodeCursor, parseCursor } from "../../src/codec/cursor.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { Cursor, SpaceName } from "../../src/core/ids.ts";
import type { Store } from "../../src/store/store.ts";
import type { Chance } from "./chance.ts";
import { isBeginning } from "./derived-watch.ts";
import { isSame } from "./stored.ts";
import type { LogEntry, SpaceTruth } from "./truth.ts";
import { acknowledgedBy } from "./truth.ts";
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
        const limit = chance.pick([1, 2, 5, 0]);
        await this.#at(instance, () =>
          reader.read(instance.store, limit, chance.fork(`clamp ${reader.seen}`).happens(0.2)),
        );
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
          if (what === "segment") return this.#segmentFrom(instance.store, space, segment, chance);
          return what === "last" ? this.last(instance.store, space, segment) : this.names(instance.store);
        });
      }
      await timeline.sleep(chance.pick([20, 200, 2_000]) * chance.fraction());
    }
  }

  /** Looks at segments as of offsets that somebody may have been given, the newest most of all. */
  async own(chance: Chance): Promise<void> {
    const { scenario, timeline } = this.#world;
    while (!this.isOver) {
      const { live } = this.#world;
      const { name, segments } = chance.pick(scenario.spaces);
      const { order } = this.#world.space(name);
      const place = order[order.length - chance.pick([1, 1, 1, 2, 5])];
      const segment = chance.pick([place?.segment ?? chance.pick(segments), chance.pick(segments)]);
      const what = chance.pick(["segment", "last", "status"] as const);
      if (live.length > 0 && place !== undefined) {
        const instance = chance.pick(live);
        await this.#at(instance, () => this.#atLeast(instance.store, this.#world.space(name), segment, place, what));
      }
      await timeline.sleep(chance.pick([5, 50, 500]) * chance.fraction());
    }
  }

  /** A read with a `min` shows all that its space has up to there. */
  async #atLeast(
    store: Store,
    space: SpaceTruth,
    name: Parameters<Store["peek"]>[1],
    place: LogEntry,
    what: "segment" | "last" | "status",
  ): Promise<void> {
    const { verdict } = this.#world;
    const truth = space.segment(name);
    const wanted = truth.entries.findLast((entry) => comparePlaces(entry, place) <= 0)?.sequence ?? 0;
    const min = encodeCursor({ ...place, space: space.name });
    const from = Math.max(1, wanted - 1);
    let seen = truth.first - 1;
    try {
      if (what === "segment") {
        const entries = store.consumeSegment(space.name, name, { min, from, clamp: true });
        for await (const { sequence } of entries) seen = sequence;
      } else if (what === "last") seen = (await store.peek(space.name, name, { min }))?.sequence ?? truth.first - 1;
      else seen = (await store.getSegmentStatus!(space.name, name, { min })).lastSequence;
    } catch (error) {
      // A storage that went back meanwhile has not come so far any more.
      const isGone = !space.order.includes(place) && error instanceof StoreError && error.code === "invalid_argument";
      const isLate = error instanceof StoreError && error.code === "overloaded";
      if (isGone || isLate) return;
      throw error;
    }
    const isThere = seen >= wanted || truth.first > wanted || !space.order.includes(place);
    verdict.check(isThere, "I1", () => `the ${what} of ${name} ended at ${seen} with a min that has ${wanted} of it`);
  }

  async segment(
    store: Store,
    space: SpaceTruth,
    name: Parameters<Store["peek"]>[1],
    from: number,
    clamp = false,
  ): Promise<void> {
    const { timeline, verdict } = this.#world;
    const truth = space.segment(name);
    const { applied } = truth;
    const acknowledged = acknowledgedBy(truth.trims, timeline.now);
    const at = `a read of segment ${name} from ${from}`;
    let next = from;
    // A reader from the beginning begins at what there is.
    const mayBegin = (): boolean => clamp || (from === 1 && next === 1);
    try {
      for await (const entry of store.consumeSegment(space.name, name, { from, clamp })) {
        const { sequence } = entry;
        const isNext = sequence === next || (mayBegin() && sequence > next && sequence <= truth.first);
        verdict.check(isNext, "I2", () => `${at} gives ${sequence} where ${next} comes`);
        verdict.check(sequence >= acknowledged, "L2", () => `${at} shows ${sequence}, trimmed before ${acknowledged}`);
        isSame(entry, truth.entries[sequence - 1], verdict, at);
        next = sequence + 1;
      }
    } catch (error) {
      const earliest = earliestIn(error);
      if (earliest === undefined) throw error;
      const isTrue = typeof earliest === "number" && next < earliest && earliest <= truth.first && !mayBegin();
      verdict.check(
        isTrue,
        "L3",
        () => `${at} was told at ${next} that what comes next was trimmed: ${JSON.stringify(earliest)}`,
      );
      return;
    }
    const isWhole = next > applied || (mayBegin() && truth.first > applied);
    verdict.check(isWhole, "I1", () => `${at} ended at ${next - 1}; ${applied} was there`);
  }

  #segmentFrom(store: Store, space: SpaceTruth, name: Parameters<Store["peek"]>[1], chance: Chance): Promise<void> {
    const from = chance.integer(1, 1 + space.segment(name).applied);
    return this.segment(store, space, name, from, chance.fork(`clamp ${from}`).happens(0.3));
  }

  /** After the time of each of some entries, as many as the next two. */
  async segmentFromTimes(store: Store, space: SpaceTruth, name: Parameters<Store["peek"]>[1]): Promise<void> {
    const { verdict } = this.#world;
    const { entries, first } = space.segment(name);
    const limit = 2;
    const times = [...new Set(entries.map(({ timestamp }) => timestamp))].filter((_, index) => index % 3 === 0);
    for (const after of times) {
      const wanted = entries
        .filter(({ sequence, timestamp }) => sequence >= first && timestamp > after)
        .slice(0, limit);
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
    const acknowledged = acknowledgedBy(truth.trims, this.#world.timeline.now);
    const entry = await store.peek(space.name, name);
    if (entry !== undefined) isSame(entry, truth.entries[entry.sequence - 1], verdict, `peek of ${name}`);
    // Trimmed entries cannot be peeked at.
    verdict.check(
      (entry?.sequence ?? truth.first - 1) >= applied,
      "I1",
      () => `peek of ${name} is ${entry?.sequence}; ${applied} was there`,
    );
    const isGone = entry !== undefined && entry.sequence < acknowledged;
    verdict.check(!isGone, "L2", () => `peek of ${name} shows ${entry?.sequence}, trimmed before ${acknowledged}`);
    const status = await store.getSegmentStatus!(space.name, name);
    verdict.check(status.lastSequence >= (entry?.sequence ?? 0), "I1", () => `the status of ${name} goes back`);
    const begins = status.lastSequence === 0 || (status.firstSequence >= acknowledged && isBeginning(truth, status));
    verdict.check(
      begins,
      "L2",
      () => `the status of ${name} is ${JSON.stringify(status)}, trimmed before ${acknowledged}`,
    );
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
  async read(store: Store, limit: number, clamp = false): Promise<void> {
    const { timeline, verdict } = this.#world;
    const space = this.#space;
    const there = space.order.length;
    const acknowledged = acknowledgedBy(space.trims, timeline.now);
    let read = 0;
    try {
      for await (const entry of store.consumeSpace(space.name, { offset: this.#cursor, limit, clamp })) {
        this.#skip(clamp, (next) => next.timestamp < entry.timestamp);
        isSame(entry, space.order[this.seen], verdict, `reading ${space.name} after ${this.seen} entries`);
        const isGone = entry.timestamp < acknowledged;
        verdict.check(!isGone, "L2", () => `${space.name} shows ${entry.timestamp}, trimmed before ${acknowledged}`);
        this.seen += 1;
        read += 1;
        this.#cursor = encodeCursor(entry);
      }
    } catch (error) {
      const earliest = earliestIn(error);
      if (earliest === undefined) throw error;
      this.#told(earliest);
      return;
    }
    if (limit > 0 && read === limit) return;
    this.#skip(clamp, (_, index) => index < there);
    verdict.check(
      this.seen >= there,
      "I1",
      () => `a read of ${space.name} ended after ${this.seen} entries; ${there} were there`,
    );
  }

  /** Trimmed entries are left out for a reader that begins at the beginning, or asked for it. */
  #skip(clamp: boolean, isBefore: (entry: LogEntry, index: number) => boolean): void {
    const { goneThrough, order } = this.#space;
    if (!clamp && this.#cursor !== "") return;
    for (let next = order[this.seen]; next !== undefined; next = order[this.seen]) {
      if (next.timestamp > goneThrough || !isBefore(next, this.seen)) return;
      this.seen += 1;
    }
  }

  /** That it has missed something: so it has, and it goes on from the earliest there is, behind nothing that is. */
  #told(earliest: unknown): void {
    const { goneThrough, name, order } = this.#space;
    const { verdict } = this.#world;
    const missed = order[this.seen];
    const isTrue = this.#cursor !== "" && missed !== undefined && missed.timestamp <= goneThrough;
    verdict.check(isTrue, "L3", () => `${name} is said to be trimmed after ${this.seen} entries, which it is not`);
    this.#cursor = earliest as Cursor;
    const through = this.#cursor === "" ? 0 : parseCursor(this.#cursor).timestamp - 1;
    verdict.check(
      through <= goneThrough,
      "L1",
      () => `the earliest of ${name} is after ${through}, gone is ${goneThrough}`,
    );
    while ((order[this.seen]?.timestamp ?? Infinity) <= through) this.seen += 1;
  }
}

/** Undefined: it is another error. */
function earliestIn(error: unknown): unknown {
  return error instanceof StoreError && error.code === "trimmed" ? error.details["earliest"] : undefined;
}

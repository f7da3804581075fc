// The live readers of an instance (I9): they wait for news of every space, and are told of each commit, however little
// they ask.
//
// What they ask meets a weather of its own, so that a seed's other happenings are the same with them and without them.

import type { SpaceName } from "../../src/core/ids.ts";
import { SpaceWatches } from "../../src/server/space-watch.ts";
import { resolveOptions } from "../../src/store/azure/instance/options.ts";
import { logHeadRow, logPartition } from "../../src/store/azure/rows/keys.ts";
import { decodeLogHead } from "../../src/store/azure/rows/log-rows.ts";
import type { Chance } from "./chance.ts";
import type { Witness, World } from "./world.ts";

/**
 * So many looks in the time after which a log that rests is closed: a look that is left out by mistake is missed for
 * longer than one that is late.
 */
const looksPerIdle = 20;
/**
 * Intervals between two looks within which a commit is told while nothing fails, and what requests may take on top,
 * milliseconds.
 */
const toldWithinIntervals = 2;
const requestsMs = 250;
/** How long what was asked for before may still fail after that, milliseconds. */
const onTheWayMs = 500;

export class LiveReaders {
  readonly #world: World;
  readonly #chance: Chance;
  readonly #witness: Witness;
  readonly #watches: SpaceWatches;
  readonly #idleMs: number;
  readonly #pollMsMax: number;
  readonly #toldWithinMs: number;
  readonly #over = new AbortController();
  readonly #committed = new Map<SpaceName, number>();
  /** The last time of a commit, ever. */
  readonly #latest = new Map<SpaceName, number>();
  /** How many commits a reader has seen that reads whenever it is told to. */
  readonly #told = new Map<SpaceName, number>();
  /** Since when the instance hears and does something; infinite while it does not. */
  #awakeSince = 0;
  /** No request of the instance fails any more. */
  #isCalm = false;

  constructor(world: World, chance: Chance) {
    this.#world = world;
    this.#chance = chance;
    this.#witness = world.witness(chance);
    this.#idleMs = resolveOptions(world.scenario.settings).logIdleMs;
    this.#pollMsMax = Math.max(50, this.#idleMs / looksPerIdle);
    // A service that sets its clock back takes logs off its list too early: then it is the next look of its own that
    // tells.
    const restMs = world.scenario.serviceStepBackMs > 0 ? this.#idleMs : 0;
    this.#toldWithinMs = toldWithinIntervals * this.#pollMsMax + requestsMs + restMs;
    const { clock, logger, random } = this.#witness;
    const options = { pollMsMin: 25, pollMsMax: this.#pollMsMax, togetherMin: 1 };
    this.#watches = new SpaceWatches(clock, random, logger, options);
    const logs = new Map(world.scenario.spaces.map(({ name }) => [logPartition(name), name]));
    world.account.observe(({ partition, changes }) => {
      const space = logs.get(partition);
      if (space === undefined) return;
      const headRow = logHeadRow(space);
      // A trim and a compaction write two rows as well, now and then, and leave the head.
      const head = changes.length === 2 ? changes.find(({ row }) => row === headRow)?.after : undefined;
      if (head !== undefined) this.#onCommit(space, decodeLogHead(head).timestamp);
    });
  }

  start(): void {
    for (const { name } of this.#world.scenario.spaces) void this.#follow(name);
    void this.#disturb();
  }

  /** From now on everything is told in time, and what was committed before as well. */
  calm(): void {
    this.#isCalm = true;
    this.#witness.weather.calm();
    this.#awakeSince = this.#world.timeline.now + onTheWayMs;
    for (const [space, committed] of this.#committed) this.#isTold(space, committed);
  }

  /** The machine stands still for so long, and goes on without knowing. */
  async freeze(ms: number): Promise<void> {
    const { timeline } = this.#world;
    this.#awakeSince = Infinity;
    this.#witness.clock.freeze();
    await timeline.sleep(ms);
    this.#witness.clock.thaw();
    this.#awakeSince = timeline.now;
  }

  stop(): void {
    this.#over.abort();
    this.#witness.crash();
  }

  #hasCalmed(): boolean {
    return this.#isCalm;
  }

  #onCommit(space: SpaceName, timestamp: number): void {
    const committed = (this.#committed.get(space) ?? 0) + 1;
    this.#committed.set(space, committed);
    const latest = this.#latest.get(space) ?? 0;
    this.#latest.set(space, Math.max(latest, timestamp));
    // Where the storage went back a time may come again: the place is the one that is known.
    if (this.#isCalm && timestamp > latest) this.#isTold(space, committed);
  }

  /** Judged when the instance has been awake for as long as it may take. */
  #isTold(space: SpaceName, committed: number): void {
    const { timeline, verdict } = this.#world;
    timeline.after(this.#toldWithinMs, () => {
      if (this.#over.signal.aborted) return;
      if (timeline.now < this.#awakeSince + this.#toldWithinMs) {
        this.#isTold(space, committed);
        return;
      }
      const told = this.#told.get(space) ?? 0;
      const what = (): string => `live readers of ${space} were told of ${told} commits, and not in time of the next`;
      verdict.check(told >= committed, "I9", what);
    });
  }

  /** As a caller does: reads whenever there is news, and comes again after a failure. */
  async #follow(space: SpaceName): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      await this.#stream(space).catch(() => undefined);
      await this.#world.timeline.sleep(this.#pollMsMax);
    }
  }

  async #stream(space: SpaceName): Promise<void> {
    const { signal } = this.#over;
    const watch = await this.#watches.open(this.#witness.store, space);
    try {
      while (!signal.aborted) {
        const seen = watch.version;
        const committed = this.#committed.get(space) ?? 0;
        await this.#witness.store.spaceTail(space, 0);
        this.#told.set(space, committed);
        await watch.changed(seen, Number.MAX_SAFE_INTEGER, signal);
      }
    } finally {
      watch.close();
    }
  }

  /** The instance is cut off now and then, for longer than a log stays listed. */
  async #disturb(): Promise<void> {
    const { timeline } = this.#world;
    const { name, weather } = this.#witness;
    while (!this.#hasCalmed()) {
      await timeline.sleep(this.#chance.between(100, 4_000));
      if (this.#hasCalmed()) return;
      weather.outages.add(name);
      await timeline.sleep(this.#idleMs * this.#chance.pick([0.1, 0.5, 1, 2]));
      weather.outages.delete(name);
    }
  }
}

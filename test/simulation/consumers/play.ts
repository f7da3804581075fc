// A consumer and its workers, on several instances under faults: claims race, workers stall, die and come back, answers
// are lost, calls are doubled and late; operators replay, drop, pause, set back, make anew and trim.
//
// Then nothing fails any more: one worker must finish alone, two must come to share, and what was parked must come when
// it is wanted. `judge.ts` holds all that happened against what a consumer promises.

import { noMetadata } from "../../../src/core/entry.ts";
import type { EntryFilter } from "../../../src/core/entry-filter.ts";
import { StoreError } from "../../../src/core/errors.ts";
import type { Cursor, SegmentPrefix, SpaceName } from "../../../src/core/ids.ts";
import { parseSegmentName, parseSpaceName, parseTransactionId } from "../../../src/core/ids.ts";
import { encodeCursor } from "../../../src/codec/cursor.ts";
import type { PutConsumer } from "../../../src/consumers/manage.ts";
import type { Which } from "../../../src/consumers/parked.ts";
import type { Store } from "../../../src/store/store.ts";
import { Chance } from "../chance.ts";
import { judge, whatIsLeft } from "./judge.ts";
import type { Known } from "./ledger.ts";
import type { Machine } from "./machines.ts";
import { consumerName, Machines } from "./machines.ts";
import type { Manner } from "./workers.ts";
import { steady, Worker } from "./workers.ts";

const segments = ["a", "b", "c", "d", "e", "f"].map(parseSegmentName);
const operations = ["replay", "drop", "pause", "reset", "remake", "trim", "list"] as const;
const entriesEach = 25;
const producers = 2;
/** Virtual time, milliseconds, within which what cannot fail must be done. */
const workMaxMs = 20 * 60_000;

export async function consumers(seed: number): Promise<{ readonly wrong: string | undefined }> {
  const play = new Play(new Chance(`consumers ${seed}`));
  try {
    await play.run();
  } catch (error) {
    play.report(`the simulation itself: ${error instanceof Error ? error.stack : String(error)}`);
  }
  return { wrong: play.wrong };
}

class Play {
  wrong: string | undefined;
  readonly #chance: Chance;
  readonly #machines: Machines;
  readonly #spaces: readonly SpaceName[];
  readonly #rules: PutConsumer & { readonly partitions: number };
  readonly #manner: Manner;
  readonly #asked: readonly (typeof operations)[number][];
  #isOver = false;
  #entries = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
    this.#machines = new Machines(chance.fork("machines"));
    this.#spaces = ["one", "two"].slice(0, chance.pick([1, 1, 2])).map(parseSpaceName);
    const leaseSeconds = chance.pick([4, 10]);
    const filter: EntryFilter = {
      prefixes: chance.pick([[], [], ["a", "b", "c"]]) as SegmentPrefix[],
      where: new Map(),
    };
    this.#rules = {
      ...{ spaces: this.#spaces, filter, partitions: chance.pick([1, 2, 4]), from: { kind: "start" } },
      ...{ maxDeliveries: chance.pick([2, 3]), backoffSeconds: chance.pick([[0], [1, 20]]), paused: false },
      ...{ onPoison: chance.pick(["parkSegment", "parkSegment", "park"]), leaseSeconds, maxParked: 100 },
    };
    this.#manner = {
      ...{ leaseMs: 1_000 * leaseSeconds, entriesMax: chance.pick([1, 3, 10, 100]) },
      ...{ lostShare: chance.pick([0, 0.1, 0.3]), repeatShare: chance.pick([0, 0.1, 0.4]) },
      ...{ stallShare: chance.pick([0, 0.02, 0.1]), deathShare: chance.pick([0, 0.01, 0.05]) },
      releaseShare: chance.pick([0, 0.04]),
    };
    this.#asked = operations.filter(() => chance.happens(0.4));
  }

  report(wrong: string): void {
    this.wrong ??= wrong;
  }

  async run(): Promise<void> {
    await this.#within(this.#trouble(), "the troubles");
    if (this.wrong === undefined) await this.#within(this.#calm(), "the calm");
    this.wrong ??= judge(this.#machines.ledger, this.#rules);
  }

  async #trouble(): Promise<void> {
    const { timeline } = this.#machines;
    await this.#insist("make", ({ consumers: all }) => all.put(consumerName, this.#rules));
    const producing = Array.from({ length: producers }, (_, index) =>
      this.#produce(this.#chance.fork(`producer ${index}`)),
    );
    const workers = Array.from({ length: this.#chance.integer(2, 4) }, (_, index) =>
      this.#worker(`w${index}`, this.#manner),
    );
    const working = workers.map((worker) => worker.run());
    const operating = this.#operate(this.#chance.fork("operator"));
    await Promise.all(producing);
    await timeline.sleep(this.#manner.leaseMs * this.#chance.between(1, 4));
    this.#isOver = true;
    for (const worker of workers) worker.isOver = true;
    await Promise.all([...working, operating]);
  }

  #worker(name: string, manner: Manner): Worker {
    return new Worker(name, this.#machines, this.#chance.fork(name), manner, (wrong) => this.report(wrong));
  }

  async #produce(chance: Chance): Promise<void> {
    for (let count = 0; count < entriesEach; count += 1) {
      const [space, segment] = [chance.pick(this.#spaces), chance.pick(segments)];
      this.#entries += 1;
      const kind = chance.weighted({ good: 16, bad: 2, deadly: 1 });
      const records = [{ payload: Buffer.from(`${kind} ${this.#entries}`), metadata: noMetadata }];
      const transactionId = parseTransactionId(chance.uuid());
      await this.#insist("produce", ({ store }) => store.produceAll(space, [{ segment, records }], { transactionId }));
      await this.#machines.timeline.sleep(this.#manner.leaseMs * chance.pick([0, 0.05, 0.4]) * chance.fraction());
      if (count % 5 === 0) await this.#learn();
    }
    await this.#learn();
  }

  /** The judge knows all that there is. */
  async #learn(): Promise<void> {
    await this.#insist("read", async ({ store }) => {
      for (const space of this.#spaces) await this.#read(store, space);
    });
  }

  async #read(store: Store, space: SpaceName): Promise<Cursor | undefined> {
    let last: Cursor | undefined;
    for await (const entry of store.consumeSpace(space, { clamp: true })) {
      last = encodeCursor(entry);
      const { segment, sequence, payload } = entry;
      const kind = Buffer.from(payload).toString().split(" ")[0] as Known["kind"];
      this.#machines.ledger.know(this.#spaces, last, { space, segment, sequence, kind });
    }
    return last;
  }

  async #operate(chance: Chance): Promise<void> {
    const { timeline } = this.#machines;
    while (this.#asked.length > 0) {
      await timeline.sleep(this.#manner.leaseMs * chance.between(0.1, 1.5));
      if (this.#isOver) return;
      await this.#once(chance.pick(this.#asked), chance);
    }
  }

  async #once(operation: (typeof operations)[number], chance: Chance): Promise<void> {
    const { ledger, timeline } = this.#machines;
    const space = chance.pick(this.#spaces);
    switch (operation) {
      case "replay":
      case "drop": {
        const wish = { began: ledger.next(), ended: Infinity };
        if (operation === "drop") ledger.drops.push(wish);
        const which = await this.#which(space, chance);
        await this.#ask(chance, ({ consumers: all }) => all.wish(consumerName, which, operation, 1_000));
        wish.ended = ledger.next();
        return;
      }
      case "pause":
        await this.#ask(chance, ({ consumers: all }) => all.put(consumerName, { ...this.#rules, paused: true }));
        await timeline.sleep(this.#manner.leaseMs * chance.fraction());
        await this.#ask(chance, ({ consumers: all }) => all.put(consumerName, this.#rules));
        return;
      case "reset":
        await this.#ask(chance, ({ consumers: all }) => all.reset(consumerName, { kind: "start" }));
        return;
      case "remake":
        if (chance.happens(0.5)) await this.#ask(chance, ({ consumers: all }) => all.remove(consumerName));
        await this.#insist("make again", ({ consumers: all }) => all.put(consumerName, this.#rules));
        return;
      case "list":
        await this.#ask(chance, ({ consumers: all }) => all.standing(consumerName, new AbortController().signal));
        return;
      case "trim":
        await this.#ask(chance, async ({ store }) => {
          const all = await this.#read(store, space);
          const known = [...ledger.entries.keys()].filter((offset) => all !== undefined && offset <= all).sort();
          const offset = known
            .filter((one) => ledger.entries.get(one)?.space === this.#spaces.indexOf(space))
            .at(chance.integer(-12, -4));
          if (offset === undefined) return;
          ledger.trims.push({ began: ledger.next(), through: offset });
          await store.trimSpace(space, { offset });
        });
    }
  }

  /** All, a segment, or some of those that are listed, each up to its entry. */
  async #which(space: SpaceName, chance: Chance): Promise<Which> {
    const kind = chance.pick(["all", "segment", "ids"] as const);
    if (kind === "all") return { kind };
    if (kind === "segment") return { kind, space, segment: chance.pick(segments) };
    const page = { after: "", limit: 100 };
    const { signal } = new AbortController();
    const listed = await this.#ask(chance, ({ consumers: all }) => all.parked(consumerName, page, signal));
    const ids = (listed?.parked ?? []).map(({ id }) => id).filter(() => chance.happens(0.7));
    return { kind, ids };
  }

  async #calm(): Promise<void> {
    const { ledger, timeline, weather } = this.#machines;
    weather.calm();
    // What is still on its way lands.
    await timeline.sleep(60_000);
    ledger.calmAt = ledger.next();
    await this.#learn();
    await this.#insist("go on", ({ consumers: all }) => all.put(consumerName, this.#rules));
    const manner = { ...this.#manner, ...steady };
    const alone = this.#worker("alone", manner);
    const working = [alone.run()];
    await this.#until(20, () => this.#left(), "of one worker alone");
    const { leaseMs } = this.#manner;
    const other = this.#worker("other", manner);
    working.push(other.run());
    const moves = this.#rules.partitions / 2;
    await this.#until((leaseMs * (2 + 2 * moves)) / 60_000, () => this.#uneven(["alone", "other"]), "of two workers");
    // Nothing is taken to and fro.
    await timeline.sleep(3 * leaseMs);
    const tokens = (): string => ledger.present.map(({ partition }) => partition.token).join();
    const before = tokens();
    await timeline.sleep(3 * leaseMs);
    if (tokens() !== before) this.report("C6: partitions are given to and fro between workers that have as many");
    other.leaves = true;
    await this.#until((leaseMs * 3) / 60_000, () => this.#uneven(["alone"]), "of the one that stays");
    alone.isCured = true;
    // The first of each segment alone, and then all.
    await this.#insist("replay some", async ({ consumers: all }) => {
      const page = { after: "", limit: 100 };
      const { parked } = await all.parked(consumerName, page, new AbortController().signal);
      await all.wish(consumerName, { kind: "ids", ids: parked.map(({ id }) => id) }, "replay", 1_000);
    });
    await timeline.sleep(2 * leaseMs);
    await this.#insist("replay", ({ consumers: all }) => all.wish(consumerName, { kind: "all" }, "replay", 1_000));
    await this.#until(20, () => this.#left(true), "of what was parked");
    alone.isOver = true;
    await Promise.all(working);
  }

  /** What is not done; `isCured`: parked entries, too. */
  #left(isCured = false): string | undefined {
    return whatIsLeft(this.#machines.ledger, this.#rules, isCured);
  }

  #uneven(names: readonly string[]): string | undefined {
    const held = new Map(names.map((name) => [name, 0]));
    for (const { partition } of this.#machines.ledger.present) {
      const { holder = "nobody" } = partition;
      held.set(holder, (held.get(holder) ?? 0) + 1);
    }
    const counts = [...held.values()];
    if (held.size === names.length && Math.max(...counts) - Math.min(...counts) <= 1) return undefined;
    return JSON.stringify([...held]);
  }

  async #until(minutes: number, left: () => string | undefined, whose: string): Promise<void> {
    const { timeline } = this.#machines;
    const end = timeline.now + 60_000 * minutes;
    while (left() !== undefined && this.wrong === undefined) {
      if (timeline.now > end) this.report(`C6: the work ${whose} does not end: ${left()}`);
      await timeline.sleep(this.#manner.leaseMs / 20);
    }
  }

  /** Undefined: not answered. */
  async #ask<T>(chance: Chance, ask: (machine: Machine) => Promise<T>): Promise<T | undefined> {
    const machine = this.#machines.pick(chance);
    const asked = ask(machine).catch((error: unknown) => this.#expected(error));
    return Promise.race([asked, machine.crashed]);
  }

  async #insist<T>(what: string, ask: (machine: Machine) => Promise<T>): Promise<T> {
    const chance = this.#chance.fork(`insist ${what} ${this.#machines.timeline.now}`);
    for (;;) {
      const answer = await this.#ask(chance, async (machine) => ({ value: await ask(machine) }));
      if (answer !== undefined) return answer.value;
      await this.#machines.timeline.sleep(chance.between(10, 500));
    }
  }

  #expected(error: unknown): undefined {
    const codes = ["storage_unavailable", "throttled", "overloaded", "not_found", "trimmed"];
    if (error instanceof StoreError && codes.includes(error.code)) return undefined;
    this.report(`a call ended with ${error instanceof Error ? error.stack : String(error)}`);
    return undefined;
  }

  async #within(work: Promise<void>, what: string): Promise<void> {
    const state = { isDone: false };
    const ended = work.finally(() => {
      state.isDone = true;
    });
    ended.catch(() => undefined);
    await this.#machines.timeline.run(() => state.isDone || this.wrong !== undefined, 6 * workMaxMs);
    if (state.isDone) await ended;
    else this.report(`C6: ${what} never end`);
  }
}

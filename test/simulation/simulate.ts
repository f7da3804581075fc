// One seed, from its first request to the last look: trouble, calm, and what only the monitor is left to finish.

import { Chance } from "./chance.ts";
import { BoundedReaders } from "./bounds.ts";
import { Compactors } from "./compactors.ts";
import { LiveReaders } from "./live.ts";
import { Producers } from "./producers.ts";
import { Readers, SpaceReader } from "./readers.ts";
import { chooseScenario } from "./scenario.ts";
import { Trimmers } from "./trimmers.ts";
import type { FaultKind } from "./weather.ts";
import { logPartition, segmentPartition, segmentsPartition } from "../../src/store/azure/rows/keys.ts";
import type { Instance } from "./world.ts";
import { World } from "./world.ts";
import type { SegmentName, SpaceName } from "../../src/core/ids.ts";
import { parseTransactionId } from "../../src/core/ids.ts";
import { resolveOptions } from "../../src/store/azure/instance/options.ts";

export interface SeedResult {
  readonly seed: number;
  /** The first failure; undefined: none. */
  readonly wrong: string | undefined;
  readonly history: readonly string[];
  readonly requests: number;
  readonly commits: number;
  readonly acknowledged: number;
  readonly crashes: number;
  readonly faults: ReadonlyMap<FaultKind, number>;
  readonly virtualMs: number;
}

/** Beyond this, virtual time, a run is stuck. */
const workMaxMs = 600_000;
const answersMaxMs = 120_000;
const probesMaxMs = 60_000;
/** As long as requests may still land. */
const lateMaxMs = 31_000;
const quietMaxMs = 400_000;
/** Single commits to logs that rest. */
const nowAndThenRounds = 2;

export async function simulate(seed: number, options: { readonly keepsHistory: boolean }): Promise<SeedResult> {
  const chance = new Chance(`seed ${seed}`);
  const scenario = chooseScenario(chance.fork("scenario"));
  const world = new World(chance, scenario, options.keepsHistory);
  const run = new Run(world, chance);
  world.history.note("", () => `seed ${seed}: ${JSON.stringify(scenario)}`);
  try {
    await run.all();
  } catch (error) {
    world.verdict.report(
      "the simulation itself",
      error instanceof Error ? (error.stack ?? String(error)) : String(error),
    );
  }
  const transactions = [...world.spaces.values()].flatMap(({ segments }) =>
    [...segments.values()].flatMap((segment) => segment.transactions),
  );
  return {
    seed,
    wrong: world.verdict.wrong,
    history: world.history.lines,
    requests: world.account.requests,
    commits: [...world.spaces.values()].reduce((sum, { records }) => sum + records.length, 0),
    acknowledged: transactions.filter(({ operation }) => operation.calls.some(({ state }) => state === "committed"))
      .length,
    crashes: world.instances.filter(({ alive }) => !alive).length,
    faults: world.weather.counts,
    virtualMs: world.timeline.now,
  };
}

class Run {
  readonly #world: World;
  readonly #chance: Chance;
  readonly #producers: Producers;
  readonly #readers: Readers;
  readonly #trimmers: Trimmers;
  readonly #bounded: BoundedReaders;
  readonly #compactors: Compactors;
  readonly #live: LiveReaders;
  #isCalm = false;
  #restore: (() => void) | undefined;

  constructor(world: World, chance: Chance) {
    this.#world = world;
    this.#chance = chance;
    this.#producers = new Producers(world);
    this.#readers = new Readers(world);
    this.#trimmers = new Trimmers(world);
    this.#bounded = new BoundedReaders(world);
    this.#compactors = new Compactors(world);
    this.#live = new LiveReaders(world, chance.fork("live readers"));
  }

  async all(): Promise<void> {
    await this.#trouble();
    await this.#calm();
    await this.#probe();
    await this.#goBack();
    await this.#nowAndThen();
    await this.#onlyMonitors();
    await this.#lastLook();
  }

  #isWrong(): boolean {
    return this.#world.verdict.wrong !== undefined;
  }

  #hasCalmed(): boolean {
    return this.#isCalm;
  }

  /** Lets time pass until the work is done, or something is wrong. */
  async #until(work: Promise<unknown>, limitMs: number, what: () => string): Promise<void> {
    if (this.#isWrong()) return;
    let isDone = false;
    const ended = work.then(() => {
      isDone = true;
    });
    ended.catch(() => undefined);
    let failure: unknown;
    ended.catch((error: unknown) => {
      failure = error;
      isDone = true;
    });
    const inTime = await this.#world.timeline.run(() => isDone || this.#isWrong(), limitMs);
    if (failure !== undefined) throw failure as Error;
    if (!inTime) this.#world.verdict.report("I7", what());
  }

  async #trouble(): Promise<void> {
    const { scenario, timeline } = this.#world;
    for (let index = 0; index < scenario.instances; index += 1) this.#start();
    if (scenario.backupAtMs !== undefined) {
      timeline.after(scenario.backupAtMs, () => {
        // All instances commit to all logs after it: one that knows exactly the version of the backup cannot tell that
        // it is one.
        if (!this.#hasCalmed()) this.#restore = this.#world.backup();
      });
    }
    this.#live.start();
    void this.#disturb(this.#chance.fork("disturb"));
    for (let index = 0; index < scenario.spaceReaders; index += 1)
      void this.#readers.tail(this.#chance.fork(`reader ${index}`));
    for (let index = 0; index < scenario.segmentReaders; index += 1)
      void this.#readers.look(this.#chance.fork(`looker ${index}`));
    void this.#readers.own(this.#chance.fork("own writes"));
    for (let index = 0; index < scenario.trimmers; index += 1)
      void this.#trimmers.run(this.#chance.fork(`trimmer ${index}`));
    void this.#bounded.run(this.#chance.fork("bounded reader"));
    for (let index = 0; index < scenario.compactors; index += 1)
      void this.#compactors.run(this.#chance.fork(`compactor ${index}`));
    const producers = Array.from({ length: scenario.producers }, (_, index) =>
      this.#producers.run(this.#chance.fork(`producer ${index}`), scenario.requestsEach),
    );
    await this.#until(Promise.all(producers), workMaxMs, () => `calls were never answered: ${this.#openCalls()}`);
  }

  /** Nothing fails any more: what is running ends. */
  async #calm(): Promise<void> {
    const { history, timeline, weather } = this.#world;
    history.note("", () => "CALM: nothing fails any more");
    weather.calm();
    this.#live.calm();
    this.#isCalm = true;
    this.#readers.isOver = true;
    this.#trimmers.isOver = true;
    this.#compactors.isOver = true;
    this.#bounded.isOver = true;
    await timeline.run(() => this.#isWrong() || this.#producers.open.size === 0, answersMaxMs);
    this.#world.verdict.check(
      this.#producers.open.size === 0,
      "I7",
      () => `calls were never answered: ${this.#openCalls()}`,
    );
  }

  /** Every living instance must be able to write again. */
  async #probe(): Promise<void> {
    const { live, scenario } = this.#world;
    const probes = live.map(async (instance) => {
      for (const { name, segments } of scenario.spaces) {
        await this.#write(instance, name, this.#chance.pick(segments), this.#chance);
        if (this.#isWrong()) return;
      }
    });
    await this.#until(
      Promise.all(probes),
      probesMaxMs,
      () => `calls were never answered though nothing fails: ${this.#openCalls()}`,
    );
  }

  /** One entry, while nothing fails. */
  async #write(instance: Instance, space: SpaceName, segment: SegmentName, chance: Chance): Promise<void> {
    const { register, timeline, verdict } = this.#world;
    const part = { segment, count: 1, firstSequence: undefined, gapAt: undefined, fillBytes: 0, chunkStarts: [0] };
    const operation = {
      number: register.operations.length + 1,
      records: register.operations.length + 1,
      space,
      id: parseTransactionId(chance.uuid()),
      lease: undefined,
      parts: [part],
      together: false,
      calls: [],
    };
    register.operations.push(operation);
    for (let tries = 0; !this.#isWrong(); tries += 1) {
      const answer = await this.#producers.ask(operation, instance, { ack: "applied" });
      if (answer.kind === "committed") return;
      if (tries === 5) verdict.report("I7", `${instance.name} cannot write to ${space} though nothing fails`);
      await timeline.sleep(1_000);
    }
  }

  /** Logs rest and are closed, and single commits open them again, also while live readers stand still. */
  async #nowAndThen(): Promise<void> {
    const { history, live, scenario, timeline } = this.#world;
    const { logIdleMs } = resolveOptions(scenario.settings);
    if (this.#isWrong() || logIdleMs === 0 || live.length === 0) return;
    history.note("", () => "NOW AND THEN: single commits to logs that rest");
    const chance = this.#chance.fork("now and then");
    const rounds = async (): Promise<void> => {
      for (let round = 0; round < nowAndThenRounds; round += 1) {
        const isAwake = this.#live.freeze(chance.between(1, 4) * logIdleMs);
        await timeline.sleep(chance.fraction() * logIdleMs);
        const { name, segments } = chance.pick(scenario.spaces);
        await this.#write(chance.pick(live), name, chance.pick(segments), chance);
        for (let turn = 0; turn < 8; turn += 1) {
          await timeline.sleep(logIdleMs / 4);
          await chance.pick(live).factory.recover({ deadlineMs: 5_000 });
        }
        await isAwake;
        await timeline.sleep(chance.between(1, 4) * logIdleMs);
      }
    };
    await this.#until(rounds(), quietMaxMs, () => "single commits to logs that rest never ended");
  }

  /** When nothing is on its way any more the storage goes back, and instances that remember more write again. */
  async #goBack(): Promise<void> {
    if (this.#isWrong() || this.#restore === undefined) return;
    const { history, timeline } = this.#world;
    await timeline.run(() => this.#isWrong(), lateMaxMs);
    history.note("", () => "THE STORAGE GOES BACK");
    this.#restore();
    await this.#probe();
  }

  /** All instances die, late requests land, and monitors on a new one finish what is left and close the logs. */
  async #onlyMonitors(): Promise<void> {
    if (this.#isWrong()) return;
    const { history, live, timeline } = this.#world;
    if (this.#chance.happens(0.5)) for (const instance of live) instance.crash();
    history.note("", () => "ONLY MONITORS: what is left is theirs");
    await timeline.run(() => this.#isWrong(), lateMaxMs);
    this.#live.stop();
    const monitor = this.#world.start({ isMonitor: false });
    const recovering = (async () => {
      while (this.#world.unfinished() !== undefined && !this.#isWrong()) {
        await monitor.factory.recover({ deadlineMs: 60_000 });
        await timeline.sleep(1_500);
      }
    })();
    await this.#until(recovering, quietMaxMs, () => `the monitor does not finish: ${this.#world.unfinished()}`);
    const left = this.#isWrong() ? undefined : this.#world.unfinished();
    this.#world.verdict.check(left === undefined, "I5", () => `after the monitor: ${left}`);
  }

  /** Readers on an instance that knows nothing see the logs, in space and in segments, and everything acknowledged. */
  async #lastLook(): Promise<void> {
    if (this.#isWrong()) return;
    const { store } = this.#world.start({ isMonitor: false });
    const look = (async () => {
      for (const space of this.#world.spaces.values()) {
        await new SpaceReader(this.#world, space).read(store, 0);
        for (const { name } of space.segments.values()) {
          await this.#readers.segment(store, space, name, 1);
          await this.#readers.segmentFromTimes(store, space, name);
          await this.#readers.last(store, space, name);
        }
      }
      await this.#readers.names(store);
    })();
    await this.#until(look, answersMaxMs, () => "the last look never ended");
  }

  #start(): Instance {
    const { scenario, timeline } = this.#world;
    const instance = this.#world.start({ isMonitor: this.#chance.happens(scenario.monitorShare) });
    if (instance.isMonitor) void this.#monitor(instance);
    void instance.crashed.then(async () => {
      if (this.#hasCalmed() || this.#chance.happens(0.2)) return;
      await timeline.sleep(this.#chance.pick([1, 100, 3_000]));
      if (!this.#hasCalmed()) this.#start();
    });
    return instance;
  }

  async #monitor(instance: Instance): Promise<void> {
    const { history, scenario, timeline } = this.#world;
    while (instance.alive && !this.#hasCalmed()) {
      await timeline.sleep(scenario.monitorEveryMs * this.#chance.between(0.5, 1.5));
      const report = instance.factory.recover({ deadlineMs: 5_000 }).catch((error: unknown) => String(error));
      const told = await Promise.race([report, instance.crashed]);
      history.note(instance.name, () => `monitor: ${JSON.stringify(told)}`);
    }
  }

  /** Outages and clocks, at any time. */
  async #disturb(chance: Chance): Promise<void> {
    const { history, scenario, serviceClock, timeline, weather } = this.#world;
    let { outages } = scenario;
    let stepBackMs = scenario.serviceStepBackMs;
    while (!this.#hasCalmed()) {
      await timeline.sleep(chance.between(50, 1_500));
      if (this.#hasCalmed()) return;
      const instance = this.#world.live.length === 0 ? undefined : chance.pick(this.#world.live);
      if (instance !== undefined && scenario.clockStepMs > 0 && chance.happens(0.3)) {
        const ms = Math.round(chance.between(-1, 0.3) * scenario.clockStepMs);
        history.note(instance.name, () => `its clock is set by ${ms} ms`);
        instance.clock.step(ms);
      }
      if (stepBackMs > 0 && chance.happens(0.3)) {
        history.note("service", () => `its clock is set back by ${stepBackMs} ms`);
        serviceClock.step(-stepBackMs);
        stepBackMs = 0;
      }
      if (outages > 0 && chance.happens(0.5)) {
        outages -= 1;
        const { name, segments } = chance.pick(scenario.spaces);
        const where = chance.pick([
          segmentPartition(name, chance.pick(segments)),
          segmentsPartition(name),
          // It answers reads and takes no commit.
          `commit ${logPartition(name)}`,
          "queue",
          instance?.name ?? "queue",
        ]);
        history.note("", () => `OUTAGE of ${where}`);
        weather.outages.add(where);
        timeline.after(chance.between(50, 5_000), () => weather.outages.delete(where));
      }
    }
  }

  #openCalls(): string {
    return [...this.#producers.open]
      .map(({ number, operation, instance }) => `${number} (#${operation.number} at ${instance})`)
      .join(", ");
  }
}

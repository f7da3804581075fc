// The instances of a small simulation: they come and go on one simulated account, and each has a clock of its own.
//
// Promise: a seed replays exactly. What an instance draws, it draws from a chance of its own.

import { parseStoreId } from "../../src/core/ids.ts";
import type { Clock, Random } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { plainCompressor } from "../../src/codec/block.ts";
import type { AzureStoreFactory } from "../../src/store/azure/factory.ts";
import { createAzureStoreFactory } from "../../src/store/azure/factory.ts";
import type { AzureStoreSettings } from "../../src/store/azure/instance/options.ts";
import type { Store } from "../../src/store/store.ts";
import type { SimulatedAccount, SimulatedClient } from "../doubles/simulated-table.ts";
import type { Chance } from "./chance.ts";
import { MachineClock } from "./timeline.ts";
import type { Timeline } from "./timeline.ts";
import type { Verdict } from "./truth.ts";

export const storeId = parseStoreId("00112233-4455-6677-8899-aabbccddeeff");

export interface Instance {
  readonly name: string;
  readonly client: SimulatedClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly factory: AzureStoreFactory;
  readonly store: Store;
  readonly crash: () => void;
  readonly crashed: Promise<undefined>;
  alive: boolean;
}

/** A machine's clock; it stops when the machine dies. */
export interface StoppedClock {
  readonly clock: Clock;
  readonly stop: () => void;
}

export interface FleetOptions {
  readonly chance: Chance;
  readonly timeline: Timeline;
  readonly account: SimulatedAccount;
  readonly settings: AzureStoreSettings;
  readonly crashesMax: number;
  /** Default: up to two seconds off. */
  readonly clockOf?: (timeline: Timeline, chance: Chance) => StoppedClock;
}

export class Fleet {
  readonly #options: FleetOptions;
  readonly #instances: Instance[] = [];
  #crashes = 0;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** One that lives; a new one if there is none. */
  pick(chance: Chance): Instance {
    const live = this.#instances.filter(({ alive }) => alive);
    return live.length === 0 ? this.start() : chance.pick(live);
  }

  start(): Instance {
    const { account, clockOf = slightlyOff, settings, timeline } = this.#options;
    const name = `node${this.#instances.length + 1}`;
    const chance = this.#options.chance.fork(name);
    const client = account.connect(name);
    const { clock, stop } = clockOf(timeline, chance);
    const ended = Promise.withResolvers<undefined>();
    const random = { uuid: () => chance.uuid(), fraction: () => chance.fraction() };
    const factory = createAzureStoreFactory({
      ...{ account: client, notifier: undefined, compressor: plainCompressor, clock, random, logger: silentLogger },
      options: settings,
    });
    const instance: Instance = {
      ...{ name, client, clock, random, factory, store: factory.open(storeId), crashed: ended.promise, alive: true },
      crash: () => {
        instance.alive = false;
        client.crash();
        stop();
        ended.resolve(undefined);
      },
    };
    this.#instances.push(instance);
    return instance;
  }

  /** False: it does not die, since it is dead already, or enough have died. */
  crash(client: string): boolean {
    const instance = this.#instances.find(({ alive, name }) => alive && name === client);
    if (instance === undefined || this.#crashes >= this.#options.crashesMax) return false;
    this.#crashes += 1;
    instance.crash();
    return true;
  }
}

function slightlyOff(timeline: Timeline, chance: Chance): StoppedClock {
  const clock = new MachineClock(timeline, chance.between(-2_000, 2_000));
  return { clock, stop: () => clock.stop() };
}

/** What a simulation of a seed is: it judges itself. */
export interface Judged {
  readonly verdict: Verdict;
  all(): Promise<void>;
}

/** Undefined: nothing is wrong. */
export async function judged(run: Judged): Promise<{ readonly wrong: string | undefined }> {
  try {
    await run.all();
  } catch (error) {
    run.verdict.report("the simulation itself", error instanceof Error ? (error.stack ?? "") : String(error));
  }
  return { wrong: run.verdict.wrong };
}

/** Lets time pass until the work has ended. False: it did not within the limit. True also when something is wrong. */
export async function within(
  timeline: Timeline,
  verdict: Verdict,
  work: Promise<unknown>,
  limitMs: number,
): Promise<boolean> {
  const state = { isDone: false };
  const ended = work.finally(() => {
    state.isDone = true;
  });
  ended.catch(() => undefined);
  const isOver = (): boolean => state.isDone || verdict.wrong !== undefined;
  await timeline.run(isOver, limitMs);
  if (state.isDone) await ended;
  return isOver();
}

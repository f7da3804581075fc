// The instances that serve a consumer, on one simulated account under faults: they come and go, and have clocks of
// their own.

import { parseConsumerName } from "../../../src/core/ids.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { silentTelemetry } from "../../../src/core/telemetry.ts";
import type { Consumers } from "../../../src/consumers/consumers.ts";
import { createConsumers } from "../../../src/consumers/consumers.ts";
import { ConsumersInstance } from "../../../src/consumers/known.ts";
import type { Table } from "../../../src/table/port.ts";
import { ServiceClock } from "../../../src/core/clock.ts";
import { SimulatedAccount } from "../../doubles/simulated-table.ts";
import type { Chance } from "../chance.ts";
import { Fleet, storeId } from "../fleet.ts";
import type { Instance, StoppedClock } from "../fleet.ts";
import { MachineClock, Timeline } from "../timeline.ts";
import { Weather } from "../weather.ts";
import { Ledger } from "./ledger.ts";

export const consumerName = parseConsumerName("work");

export interface Machine extends Instance {
  readonly consumers: Consumers;
}

export class Machines {
  readonly timeline = new Timeline();
  readonly ledger = new Ledger(consumerName);
  readonly weather: Weather;
  readonly #fleet: Fleet;
  readonly #machines: Machine[] = [];

  constructor(chance: Chance) {
    const crashesMax = chance.pick([0, 2, 4]);
    this.weather = new Weather({
      chance: chance.fork("weather"),
      isLog: () => false,
      isInventory: () => false,
      crash: (client) => this.#fleet.crash(client),
      note: () => undefined,
    });
    const account = new SimulatedAccount({
      clock: new MachineClock(this.timeline),
      plan: (request) => this.weather.faultOf(request),
    });
    account.observe((write) => this.ledger.observe(write));
    const { timeline } = this;
    this.#fleet = new Fleet({ chance, timeline, account, settings: { tablePrefix: "sim" }, crashesMax, clockOf });
    for (let count = 0; count < 3; count += 1) this.#start();
  }

  pick(chance: Chance): Machine {
    const live = this.#machines.filter(({ alive }) => alive);
    return live.length < 2 ? this.#start() : chance.pick(live);
  }

  #start(): Machine {
    const instance = this.#fleet.start();
    const { clock, factory, random, store } = instance;
    const serviceClock = new ServiceClock(clock);
    const parts = { clock, serviceClock, random, logger: silentLogger, telemetry: silentTelemetry };
    const table = learning(factory.table(storeId), serviceClock);
    const consumers = createConsumers(new ConsumersInstance(parts), { store, table });
    // The same object: it says whether it lives.
    const machine = Object.assign(instance, { consumers });
    this.#machines.push(machine);
    return machine;
  }
}

function clockOf(timeline: Timeline, chance: Chance): StoppedClock {
  const off = chance.pick([0, 1_000, 60_000, 3_600_000]);
  const clock = new MachineClock(timeline, chance.between(-off, off));
  return { clock, stop: () => clock.stop() };
}

/** As the transport does it: each answer tells the storage's time. */
function learning(table: Table, serviceClock: ServiceClock): Table {
  const learned = <T extends { readonly serviceTime: number }>(answer: T): T => {
    serviceClock.learn(answer.serviceTime);
    return answer;
  };
  return {
    get: async (...args) => learned(await table.get(...args)),
    query: async (...args) => learned(await table.query(...args)),
    submit: async (...args) => learned(await table.submit(...args)),
    create: () => table.create(),
    remove: () => table.remove(),
  };
}

// The instances that serve a consumer, on one simulated account under faults: they come and go, and have clocks of
// their own.

import type { Random } from "../../../src/core/clock.ts";
import { parseConsumerName, parseStoreId } from "../../../src/core/ids.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { silentTelemetry } from "../../../src/core/telemetry.ts";
import { plainCompressor } from "../../../src/codec/block.ts";
import type { Consumers } from "../../../src/consumers/consumers.ts";
import { createConsumers } from "../../../src/consumers/consumers.ts";
import { ConsumersInstance } from "../../../src/consumers/known.ts";
import { createAzureStoreFactory } from "../../../src/store/azure/factory.ts";
import type { Store } from "../../../src/store/store.ts";
import type { Table } from "../../../src/table/port.ts";
import { ServiceClock } from "../../../src/core/clock.ts";
import { SimulatedAccount } from "../../doubles/simulated-table.ts";
import type { Chance } from "../chance.ts";
import { MachineClock, Timeline } from "../timeline.ts";
import { Weather } from "../weather.ts";
import { Ledger } from "./ledger.ts";

const storeId = parseStoreId("00112233-4455-6677-8899-aabbccddeeff");
export const consumerName = parseConsumerName("work");

export interface Machine {
  readonly name: string;
  readonly store: Store;
  readonly consumers: Consumers;
  readonly crash: () => void;
  readonly crashed: Promise<undefined>;
  alive: boolean;
}

export class Machines {
  readonly timeline = new Timeline();
  readonly ledger = new Ledger(consumerName);
  readonly weather: Weather;
  readonly #chance: Chance;
  readonly #account: SimulatedAccount;
  readonly #machines: Machine[] = [];
  readonly #crashesMax: number;
  #crashes = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
    this.#crashesMax = chance.pick([0, 2, 4]);
    this.weather = new Weather({
      chance: chance.fork("weather"),
      isLog: () => false,
      isInventory: () => false,
      crash: (client) => this.#crash(client),
      note: () => undefined,
    });
    this.#account = new SimulatedAccount({
      clock: new MachineClock(this.timeline),
      plan: (request) => this.weather.faultOf(request),
    });
    this.#account.observe((write) => this.ledger.observe(write));
    for (let count = 0; count < 3; count += 1) this.#start();
  }

  pick(chance: Chance): Machine {
    const live = this.#machines.filter(({ alive }) => alive);
    return live.length < 2 ? this.#start() : chance.pick(live);
  }

  #start(): Machine {
    const name = `node${this.#machines.length + 1}`;
    const chance = this.#chance.fork(name);
    const client = this.#account.connect(name);
    const off = chance.pick([0, 1_000, 60_000, 3_600_000]);
    const clock = new MachineClock(this.timeline, chance.between(-off, off));
    const random: Random = { fraction: () => chance.fraction(), uuid: () => chance.uuid() };
    const factory = createAzureStoreFactory({
      ...{ account: client, notifier: undefined, compressor: plainCompressor, clock, random, logger: silentLogger },
      options: { tablePrefix: "sim" },
    });
    const store = factory.open(storeId);
    const serviceClock = new ServiceClock(clock);
    const parts = { clock, serviceClock, random, logger: silentLogger, telemetry: silentTelemetry };
    const table = learning(factory.table(storeId), serviceClock);
    const ended = Promise.withResolvers<undefined>();
    const machine: Machine = {
      ...{ name, store, alive: true, crashed: ended.promise },
      consumers: createConsumers(new ConsumersInstance(parts), { store, table }),
      crash: () => {
        machine.alive = false;
        client.crash();
        clock.stop();
        ended.resolve(undefined);
      },
    };
    this.#machines.push(machine);
    return machine;
  }

  #crash(client: string): boolean {
    const machine = this.#machines.find(({ alive, name }) => alive && name === client);
    if (machine === undefined || this.#crashes >= this.#crashesMax) return false;
    this.#crashes += 1;
    machine.crash();
    return true;
  }
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

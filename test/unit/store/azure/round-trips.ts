// Counts what calls cost on the simulated table. Each request takes one round trip of virtual time, so the time that a
// call took is the number of its requests that waited for one another.

import { randomUUID } from "node:crypto";

import { silentLogger } from "../../../../src/core/logger.ts";
import { plainCompressor } from "../../../../src/codec/block.ts";
import { createAzureStoreFactory } from "../../../../src/store/azure/factory.ts";
import type { AzureStoreFactory } from "../../../../src/store/azure/factory.ts";
import type { AzureStoreSettings } from "../../../../src/store/azure/instance/options.ts";
import { faults } from "../../../doubles/fault.ts";
import { SimulatedAccount } from "../../../doubles/simulated-table.ts";
import { VirtualClock } from "../../../virtual-clock.ts";

/** Duration of every request, milliseconds. */
const roundTripMs = 10;

/** Requests of a call, until its answer. */
export interface Cost {
  readonly requests: number;
  readonly roundTrips: number;
}

/** One storage account, and the processes over it. */
export class CountedDeployment {
  readonly clock = new VirtualClock();
  readonly #account = new SimulatedAccount({
    clock: this.clock,
    plan: () => faults.answered(roundTripMs / 2, roundTripMs / 2),
  });

  /** A process that has done nothing yet. Chance adds no wait. */
  start(options: AzureStoreSettings = {}): AzureStoreFactory {
    return createAzureStoreFactory({
      account: this.#account,
      notifier: undefined,
      compressor: plainCompressor,
      clock: this.clock,
      random: { uuid: randomUUID, fraction: () => 0 },
      logger: silentLogger,
      options,
    });
  }

  async cost(call: () => Promise<unknown>): Promise<Cost> {
    const before = this.#account.requests;
    const startedAt = this.clock.elapsed();
    let cost: Cost | undefined;
    const answered = call().then(() => {
      const roundTrips = (this.clock.elapsed() - startedAt) / roundTripMs;
      cost = { requests: this.#account.requests - before, roundTrips };
    });
    // The wait below ends with it.
    answered.catch(() => undefined);
    for (let waited = 0; cost === undefined && waited < 100; waited += 1) {
      await Promise.race([answered, this.clock.pass(roundTripMs)]);
    }
    if (cost === undefined) throw new Error("No answer within 100 round trips.");
    return cost;
  }

  /** Requests of all processes while so much time passes. */
  async requestsWithin(ms: number): Promise<number> {
    const before = this.#account.requests;
    await this.clock.pass(ms);
    return this.#account.requests - before;
  }
}

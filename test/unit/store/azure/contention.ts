// Several instances that write one space, in virtual time: what they do to each other's waits, and nothing that the
// machine does.

import { silentLogger } from "../../../../src/core/logger.ts";
import { sleep } from "../../../../src/core/clock.ts";
import { noMetadata } from "../../../../src/core/entry.ts";
import { parseSegmentName, parseSpaceName, parseStoreId } from "../../../../src/core/ids.ts";
import { plainCompressor } from "../../../../src/codec/block.ts";
import { createAzureStoreFactory } from "../../../../src/store/azure/factory.ts";
import { faults } from "../../../doubles/fault.ts";
import { SimulatedAccount } from "../../../doubles/simulated-table.ts";
import { Chance } from "../../../simulation/chance.ts";
import { VirtualClock } from "../../../virtual-clock.ts";

export interface Contenders {
  readonly instances: number;
  /** Writers of each instance: each writes a segment of its own, again and again. */
  readonly callers: number;
  /** Average rest between two produces, round trips. */
  readonly rest: number;
  readonly seconds: number;
  readonly seed?: string;
}

export interface Contention {
  /** Durations of each instance's produces, in round trips. */
  readonly waits: readonly (readonly number[])[];
  readonly requests: number;
}

/** On average: each request takes 0.8 to 1.2 of it. */
const roundTripMs = 10;

/** Rejects when a produce fails. */
export async function contend({ instances, callers, rest, seconds, seed = "1" }: Contenders): Promise<Contention> {
  const chance = new Chance(seed);
  const clock = new VirtualClock();
  const plan = (): ReturnType<typeof faults.answered> => {
    const oneWayMs = (roundTripMs / 2) * chance.between(0.8, 1.2);
    return faults.answered(oneWayMs, oneWayMs);
  };
  const account = new SimulatedAccount({ clock, plan });
  const id = parseStoreId("00112233-4455-6677-8899-aabbccddeeff");
  const space = parseSpaceName("orders");
  const record = { payload: Buffer.from("placed"), metadata: noMetadata };
  const waits = Array.from({ length: instances }, (): number[] => []);

  const write = async (instance: number, own: number[]): Promise<void> => {
    const random = chance.fork(`instance ${instance}`);
    const deps = { account, notifier: undefined, compressor: plainCompressor, clock, random, logger: silentLogger };
    const store = createAzureStoreFactory(deps).open(id);
    const call = async (caller: number): Promise<void> => {
      const segment = parseSegmentName(`s-${instance}-${caller}`);
      while (clock.elapsed() < seconds * 1_000) {
        const startedAt = clock.elapsed();
        for await (const { transaction } of store.produce(space, segment, [record])) {
          if (transaction !== undefined) own.push((clock.elapsed() - startedAt) / roundTripMs);
        }
        if (rest > 0) await sleep(clock, random.between(0, 2 * rest * roundTripMs));
      }
    };
    await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)));
  };

  const state = { running: true };
  const all = Promise.all(waits.map((own, instance) => write(instance, own))).finally(() => (state.running = false));
  // The wait below ends with it.
  all.catch(() => undefined);
  while (state.running) await clock.pass(100);
  await all;
  return { waits, requests: account.requests };
}

// Requests and round trips of each call: exact, on the simulated table, where every request takes one round trip of
// virtual time.

import { randomUUID } from "node:crypto";

import { parseSegmentName, parseSpaceName, parseTransactionId } from "../src/core/ids.ts";
import type { ProduceOptions, Store } from "../src/store/store.ts";
import type { AzureStoreFactory } from "../src/store/azure/factory.ts";
import type { Cost } from "../test/unit/store/azure/round-trips.ts";
import { CountedDeployment } from "../test/unit/store/azure/round-trips.ts";
import { events, smallBytes } from "./events.ts";
import type { Figure, Measure } from "./measure.ts";
import { drain, newStore } from "./storage.ts";

const minuteMs = 60_000;
const id = newStore();
const space = parseSpaceName("orders");
const known = parseSegmentName("known");

interface Goals {
  readonly requests?: number;
  readonly roundTrips?: number;
}

export const requests: Measure = {
  name: "requests",
  about: "Requests to the storage, and how many of them wait for one another: exact counts.",
  run: async () => {
    const deployment = new CountedDeployment();
    const factory = deployment.start();
    const store = factory.open(id);
    const figures: Figure[] = [];
    const count = async (what: string, call: () => Promise<unknown>, goals: Goals = {}): Promise<void> => {
      const cost = await deployment.cost(call);
      const goal = (atMost: number | undefined): Pick<Figure, "goal"> =>
        atMost === undefined ? {} : { goal: { atMost } };
      figures.push({ what, value: cost.requests, unit: "requests", ...goal(goals.requests) });
      figures.push({ what, value: cost.roundTrips, unit: "round trips", ...goal(goals.roundTrips) });
    };

    await count("produce, the first of the deployment, with its two tables", () => produce(store, "known", 1));
    await deployment.clock.pass(minuteMs);
    await count("produce, cold process, known space", () => produce(deployment.start().open(id), "known", 1), {
      ...{ requests: 5, roundTrips: 4 },
    });
    await count("produce, log moved by another instance", () => produce(store, "known", 1), {
      ...{ requests: 6, roundTrips: 6 },
    });
    await count("produce, cold process, new space", () => produce(deployment.start().open(id), "a", 1, {}, "new"), {
      ...{ requests: 7, roundTrips: 5 },
    });
    // Instances that have seen each other let each other have their turns: these are forgotten by now.
    await deployment.clock.pass(minuteMs);
    await deployment.cost(() => produce(store, "known", 1));
    await count("produce, warm, new segment", () => produce(store, "new", 1), { requests: 4, roundTrips: 3 });
    await count("produce, warm", () => produce(store, "known", 1), { requests: 2, roundTrips: 2 });
    await count("produce, warm, ack=committed", () => produce(store, "known", 1, { ack: "committed" }), {
      roundTrips: 1,
    });
    figures.push(...(await withKey()));
    for (const batch of [1, 10, 100, 1_000]) {
      const cost = await deployment.cost(() => produce(store, "known", batch));
      figures.push({ what: `per record, warm, batch of ${batch}`, value: cost.requests / batch, unit: "requests" });
    }
    await count("peek", () => store.peek(space, known), { requests: 1, roundTrips: 1 });
    await count("status", async () => store.getSegmentStatus?.(space, known), { requests: 1, roundTrips: 1 });
    for (const batch of [10, 100]) {
      const name = `of-${batch}`;
      for (let at = 0; at < 1_000; at += batch) await deployment.cost(() => produce(store, name, batch));
      await count(`consume 1,000 entries in blocks of ${batch}`, () =>
        drain(store.consumeSegment(space, parseSegmentName(name))),
      );
    }
    await deployment.clock.pass(minuteMs);
    const runOf = (process: AzureStoreFactory) => () => process.recover({ deadlineMs: minuteMs });
    const untouched = new CountedDeployment();
    const empty = await untouched.cost(runOf(untouched.start()));
    // The first run finishes what the cold processes had left to it.
    await deployment.cost(runOf(factory));
    const twoOpen = await deployment.cost(runOf(factory));
    await deployment.clock.pass(11 * minuteMs);
    await deployment.cost(runOf(factory));
    const twoAtRest = await deployment.cost(runOf(factory));
    const perSpace = ({ requests: all }: Cost): number => (all - empty.requests) / 2;
    figures.push({ what: "monitor, a run", value: empty.requests, unit: "requests" });
    figures.push({ what: "monitor, per open space", value: perSpace(twoOpen), unit: "requests" });
    figures.push({
      what: "monitor, per idle space",
      value: perSpace(twoAtRest),
      unit: "requests",
      goal: { atMost: 0 },
    });
    const idle = await deployment.requestsWithin(10 * minuteMs);
    figures.push({ what: "idle instance, per minute", value: idle / 10, unit: "requests", goal: { atMost: 0 } });
    return figures;
  },
};

/** By an instance that has not seen the segment from its beginning: it looks up what the id was used for. */
async function withKey(): Promise<Figure[]> {
  const deployment = new CountedDeployment();
  await deployment.cost(() => produce(deployment.start().open(id), "known", 1));
  await deployment.clock.pass(minuteMs);
  const store = deployment.start().open(id);
  await deployment.cost(() => produce(store, "known", 1));
  const transactionId = parseTransactionId(randomUUID());
  const cost = await deployment.cost(() => produce(store, "known", 1, { transactionId }));
  const what = "produce, warm, with an Idempotency-Key";
  return [
    { what, value: cost.requests, unit: "requests" },
    { what, value: cost.roundTrips, unit: "round trips" },
  ];
}

function produce(
  store: Store,
  segment: string,
  count: number,
  options: ProduceOptions = {},
  inSpace = "orders",
): Promise<number> {
  const records = events(count, smallBytes);
  return drain(store.produce(parseSpaceName(inSpace), parseSegmentName(segment), records, options));
}

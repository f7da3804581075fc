// How far a space is applied: what a reader of segments may count on before it goes on with the space.

import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import type { Claim } from "../backend.ts";
import { claim } from "../backend.ts";
import { all, eventually, first, orders, produce, records, segment, space } from "../given.ts";

export const appliedClaims: readonly Claim[] = [
  claim("nothing is said of a space without records", async ({ store }) => {
    expect(await store.appliedThrough(space("nowhere"))).toBe(0);
  }),

  claim("what one instance has committed is soon said to be applied, on every instance", async ({ store, other }) => {
    await produce(store, first, records(3));
    const [chunk] = await produce(store, segment("order-2"), records(3), { ack: "committed" });
    const { lastTimestamp } = chunk!.status;
    for (const instance of [store, other]) {
      await eventually(
        "the last record is applied",
        async () => (await instance.appliedThrough(orders)) === lastTimestamp,
        5_000,
      );
    }
  }),

  claim("it is never said of what cannot be read in its segment, or found by name", async ({ store, other }) => {
    const produced: { readonly name: string; readonly lastSequence: number; readonly timestamp: number }[] = [];
    let producing = 2;
    const writing = [store, other].map(async (instance, which) => {
      for (let index = 0; index < 30; index += 1) {
        const name = `order-${which}-${index % 7}`;
        const [chunk] = await produce(instance, segment(name), records(2), { ack: "committed" });
        produced.push({ name, lastSequence: chunk!.status.lastSequence, timestamp: chunk!.status.lastTimestamp });
      }
    });
    const written = Promise.all(writing.map((one) => one.finally(() => (producing -= 1))));
    while (producing > 0) {
      const through = await other.appliedThrough(orders);
      const names = new Set<string>(await all(store.getSegments(orders)));
      for (const { name, lastSequence } of produced.filter(({ timestamp }) => timestamp <= through).slice(-5)) {
        expect(names).toContain(name);
        expect((await store.peek(orders, segment(name)))?.sequence, name).toBeGreaterThanOrEqual(lastSequence);
      }
      await delay(5);
    }
    await written;
  }),
];

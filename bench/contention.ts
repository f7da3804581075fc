// What several instances that write one space wait for each other: in virtual time and round trips, without anything
// that this machine does to it. The same in every run.

import { contend } from "../test/unit/store/azure/contention.ts";
import type { Figure, Measure } from "./measure.ts";
import { quantile } from "./measure.ts";

const cases = [
  { instances: 1, callers: 4, rest: 0 },
  { instances: 2, callers: 4, rest: 0 },
  { instances: 4, callers: 4, rest: 0 },
  { instances: 4, callers: 4, rest: 20 },
  { instances: 4, callers: 1, rest: 50 },
  { instances: 8, callers: 4, rest: 0 },
  { instances: 8, callers: 250, rest: 100 },
];

export const contention: Measure = {
  name: "contention",
  about: "Produces of several instances to one space in virtual time, 10 ms a round trip.",
  run: async ({ divisor }) => {
    const figures: Figure[] = [];
    for (const { instances, callers, rest } of cases) {
      const seconds = 20 / Math.min(divisor, 4);
      const { waits, requests } = await contend({ instances, callers, rest, seconds });
      // Not the first second, that of cold processes.
      const all = waits.flatMap((own) => own.slice(own.length / seconds));
      const what = `${instances} instances, ${callers} callers each${rest === 0 ? "" : `, resting ${rest} round trips`}`;
      const goal = instances === 4 ? { goal: { atMost: 15 } } : {};
      figures.push(
        { what: `${what}: p50`, value: quantile(all, 0.5), unit: "round trips" },
        { what: `${what}: p99`, value: quantile(all, 0.99), unit: "round trips", ...goal },
        { what: `${what}: most`, value: Math.max(...all), unit: "round trips" },
        { what, value: waits.flat().length / seconds, unit: "produces/s" },
        { what: `${what}: requests a produce`, value: requests / waits.flat().length, unit: "" },
      );
    }
    return figures;
  },
};

// The memory of the app's process: at rest, under load, and when the load is gone.

import { setTimeout as delay } from "node:timers/promises";

import { produceBody, withApp } from "./app.ts";
import { smallBytes } from "./events.ts";
import type { Figure, Measure } from "./measure.ts";
import { durations } from "./measure.ts";
import { newStore, withStorage } from "./storage.ts";

const batch = 100;

export const memory: Measure = {
  name: "memory",
  about: "Resident memory of the app's process, the local host in it, while 32 callers write and read.",
  run: (size) =>
    withStorage((storage) =>
      withApp(storage, async (app): Promise<Figure[]> => {
        await delay(1_000);
        const atRest = app.rssMiB();
        const id = newStore();
        const [one, many] = [produceBody(1, smallBytes), produceBody(batch, smallBytes)];
        let most = atRest;
        const watching = setInterval(() => (most = Math.max(most, app.rssMiB())), 50);
        await durations(32, size.roundMs * size.rounds, async (worker) => {
          if (worker < 24) await app.client.produce(id, worker, one);
          else if (worker < 30) await app.client.produce(id, worker, many);
          else await app.client.consume(id, worker - 6);
        });
        clearInterval(watching);
        await delay(size.roundMs * size.rounds);
        return [
          { what: "at rest", value: atRest, unit: "MiB" },
          { what: "under load, most", value: most, unit: "MiB" },
          { what: `${(size.roundMs * size.rounds) / 1_000} s after it`, value: app.rssMiB(), unit: "MiB" },
        ];
      }),
    ),
};

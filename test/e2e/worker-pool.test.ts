// Four processes of workers, killed at random. Its longer form is in test/long.

import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { workerPool } from "../torture/worker-pool.ts";
import { startApp } from "./harness.ts";

test(
  "workers are killed, and each entry leads to its output once, in the order of its segment",
  { timeout: 120_000 },
  async () => {
    const app = await startApp();
    const seed = randomUUID();
    try {
      const report = await workerPool({
        ...{ url: app.url, seed, processes: 4, segments: 40, entriesEach: 50 },
        ...{ kills: 4, killPauseMs: 500, withinMs: 90_000 },
      });
      console.log(JSON.stringify({ seed, ...report }));
      expect(report.problems, `seed ${seed}`).toEqual([]);
      expect(report.produced).toBe(2_000);
      // That it was a test at all.
      expect(report.kills).toBeGreaterThan(1);
      expect(report.takenOver).toBeGreaterThan(0);
    } finally {
      await app.stop();
    }
  },
);

// Four processes of workers, killed at random, until 100,000 entries are handled. Its shorter form is in test/e2e.

import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { startApp } from "../e2e/harness.ts";
import { workerPool } from "../torture/worker-pool.ts";

test(
  "of 100,000 entries none is lost, done twice or out of order within its segment",
  { timeout: 3_600_000 },
  async () => {
    const app = await startApp();
    const seed = randomUUID();
    try {
      const report = await workerPool({
        ...{ url: app.url, seed, processes: 4, segments: 200, entriesEach: 500 },
        ...{ kills: 100, killPauseMs: 4_000, withinMs: 3_000_000 },
      });
      console.log(JSON.stringify({ seed, ...report }));
      expect(report.problems, `seed ${seed}`).toEqual([]);
      expect(report.produced).toBe(100_000);
      expect(report.kills).toBeGreaterThan(10);
      expect(report.takenOver).toBeGreaterThan(10);
    } finally {
      await app.stop();
    }
  },
);

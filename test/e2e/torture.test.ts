// The short form of `npm run torture`: several processes of the app over one storage, killed without warning under a
// mixed load.

import { randomUUID } from "node:crypto";
import { expect, inject, test } from "vitest";
import { torture } from "../torture/torture.ts";
import { startApp } from "./harness.ts";

test(
  "processes die under load, and nothing is lost, doubled, reordered or left behind",
  { timeout: 150_000 },
  async () => {
    const seed = randomUUID();
    const report = await torture({
      seed,
      seconds: 15,
      processes: 4,
      callers: 16,
      killPauseMs: 1_500,
      azurite: inject("azurite"),
      start: (env) => startApp({ env }),
    });
    const { kills, pages, problems, records, tally } = report;
    console.log(JSON.stringify({ seed, kills, records, tally, pages, stored: report.stored }));
    expect(problems, `seed ${seed}`).toEqual([]);
    expect(report.fsck).toMatchObject({ findings: [], unapplied: 0, unnotified: 0, entries: report.stored });
    // That it was a test at all.
    expect(kills).toBeGreaterThan(1);
    expect(records.acknowledged).toBeGreaterThan(100);
    expect(tally.conflicts).toBeGreaterThan(0);
    expect(tally.broken).toBeGreaterThan(0);
    expect(pages).toBeGreaterThan(10);
  },
);

import { expect, test } from "vitest";

import { simulate } from "./simulate.ts";

test("a seed replays exactly, to the last line of its history", { timeout: 60_000 }, async () => {
  for (const seed of [7, 42, 1559]) {
    const [first, second] = [
      await simulate(seed, { keepsHistory: true }),
      await simulate(seed, { keepsHistory: true }),
    ];
    expect(first.history.length).toBeGreaterThan(50);
    expect(second).toEqual(first);
  }
});

test("keeping the history changes nothing", { timeout: 60_000 }, async () => {
  const { history, ...kept } = await simulate(11, { keepsHistory: true });
  const { history: none, ...silent } = await simulate(11, { keepsHistory: false });
  expect(none).toEqual([]);
  expect(history).not.toEqual([]);
  expect(silent).toEqual(kept);
});

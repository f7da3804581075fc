// The issuer's keys: how often it is asked, and what holds while it does not answer. Time is virtual, fetches are
// counted.

import { expect, test } from "vitest";

import { silentLogger } from "../../../src/core/logger.ts";
import { failureMs, freshMs, IssuerKeys, lookUpMs, staleMs } from "../../../src/server/issuer-keys.ts";
import { VirtualClock } from "../../virtual-clock.ts";

function issuer() {
  const clock = new VirtualClock();
  const warnings: string[] = [];
  const state = { published: ["a"], away: false, fetches: 0, hold: Promise.resolve() as Promise<unknown> };
  const fetch = async (): Promise<readonly string[]> => {
    state.fetches += 1;
    await state.hold;
    if (state.away) throw new Error("The issuer is away.");
    return [...state.published];
  };
  const log = { ...silentLogger, warn: (message: string) => void warnings.push(message) };
  const keys = new IssuerKeys(fetch, clock, log);
  const find = (id: string) => keys.find((ids) => Promise.resolve(ids.find((other) => other === id)));
  return { clock, state, warnings, find };
}

test("tokens that wait share one fetch", async () => {
  const { state, find } = issuer();
  const release = Promise.withResolvers<unknown>();
  state.hold = release.promise;
  const found = Promise.all(Array.from({ length: 100 }, () => find("a")));
  release.resolve(undefined);
  expect(new Set(await found)).toEqual(new Set(["a"]));
  expect(state.fetches).toBe(1);
});

test("an unknown key is looked up at once, then at most once in some seconds; meanwhile its token is told to come back", async () => {
  const { clock, state, find } = issuer();
  await find("a");
  await clock.pass(lookUpMs);
  state.published = ["b"];
  expect(await find("b")).toBe("b");
  expect(state.fetches).toBe(2);
  for (let ask = 0; ask < 1_000; ask += 1) {
    await expect(find(`unknown ${ask}`)).rejects.toMatchObject({ code: "throttled", retryAfterMs: lookUpMs });
  }
  expect(state.fetches).toBe(2);
  await clock.pass(lookUpMs);
  expect(await find("unknown")).toBeUndefined();
  expect(state.fetches).toBe(3);
});

test("keys that were good are used for a day while the issuer is away, with a warning; it is not asked in a row", async () => {
  const { clock, state, warnings, find } = issuer();
  await find("a");
  state.away = true;
  for (let passed = 0; passed < staleMs - freshMs; passed += freshMs / 2) {
    await clock.pass(freshMs / 2);
    for (let ask = 0; ask < 10; ask += 1) expect(await find("a")).toBe("a");
  }
  // One before each of the looks, but those of the first ten minutes.
  expect(state.fetches).toBeGreaterThan(200);
  expect(state.fetches).toBeLessThanOrEqual(1 + staleMs / (freshMs / 2));
  expect(warnings).toHaveLength(state.fetches - 1);
  await clock.pass(2 * freshMs);
  await expect(find("a")).rejects.toMatchObject({ code: "overloaded" });
  state.away = false;
  await clock.pass(failureMs);
  expect(await find("a")).toBe("a");
});

test("a failure cools down: who comes meanwhile is told when to come back, and no fetch is made for it", async () => {
  const { clock, state, find } = issuer();
  state.away = true;
  await expect(find("a")).rejects.toMatchObject({ code: "overloaded", retryAfterMs: failureMs });
  await clock.pass(10_000);
  for (let ask = 0; ask < 100; ask += 1) {
    await expect(find("a")).rejects.toMatchObject({ code: "overloaded", retryAfterMs: failureMs - 10_000 });
  }
  expect(state.fetches).toBe(1);
  state.away = false;
  await clock.pass(failureMs - 10_000);
  expect(await find("a")).toBe("a");
});

test("a key that is no longer published is not taken for longer than the keys are fresh", async () => {
  const { clock, state, find } = issuer();
  await find("a");
  state.published = ["b"];
  await clock.pass(freshMs + 1);
  expect(await find("a")).toBe("a");
  await clock.pass(lookUpMs);
  expect(await find("a")).toBeUndefined();
});

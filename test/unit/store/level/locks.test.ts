import fc from "fast-check";
import { expect, test } from "vitest";
import { Locks } from "../../../doubles/level/locks.ts";

test("holders of one name come one at a time, in the order they asked", async () => {
  const locks = new Locks();
  const told: string[] = [];
  await Promise.all(
    ["a", "b", "c"].map((who) =>
      locks.hold(["name"], async () => {
        told.push(`${who} in`);
        await Promise.resolve();
        told.push(`${who} out`);
      }),
    ),
  );
  expect(told).toEqual(["a in", "a out", "b in", "b out", "c in", "c out"]);
});

test("holders of different names do not wait for each other", async () => {
  const locks = new Locks();
  const { promise: held, resolve: release } = Promise.withResolvers<undefined>();
  const holding = locks.hold(["a"], () => held);
  await locks.hold(["b"], () => Promise.resolve());
  release(undefined);
  await holding;
});

test("a holder that fails lets go, and its error is its own", async () => {
  const locks = new Locks();
  const failing = locks.hold(["a", "b"], () => Promise.reject(new Error("failed")));
  const after = locks.hold(["b", "a"], () => Promise.resolve("done"));
  await expect(failing).rejects.toThrow("failed");
  expect(await after).toBe("done");
});

test("whatever sets of names are held, no name is held twice, no one waits forever, and nothing is kept", async () => {
  const names = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(names, fc.nat(5)), { minLength: 1, maxLength: 20 }), async (holders) => {
      const locks = new Locks();
      const held = new Set<string>();
      await Promise.all(
        holders.map(([wanted, turns]) =>
          locks.hold(wanted, async () => {
            const mine = new Set(wanted);
            for (const name of mine) {
              expect(held.has(name)).toBe(false);
              held.add(name);
            }
            for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
            for (const name of mine) held.delete(name);
          }),
        ),
      );
      expect(held.size).toBe(0);
      expect(locks.size).toBe(0);
    }),
  );
});

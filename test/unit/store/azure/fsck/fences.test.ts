// What fences old holders of a lease, when the log's head is lost, and when an operator resets it.

import { expect, test } from "vitest";

import { readFences, resetFence } from "../../../../../src/store/azure/fsck/fences.ts";
import { logHeadRow, logPartition } from "../../../../../src/store/azure/rows/keys.ts";
import { grantIn } from "../../../../contract/grants.ts";
import type { Store } from "../../../../../src/store/store.ts";
import { all, alpha, filled, orders, record, users } from "./stored.ts";

const under = (store: Store, token: number, text: string): Promise<unknown> =>
  all(store.produce(orders, alpha, [record(text)], { lease: { key: "writer", token } }));

const passedOn = { code: "lease_held", effect: "none", details: { token: 2, received: 1 } };

test("a rebuilt head forgets no token that has passed on", async () => {
  const stored = await filled();
  const { store, factory } = stored.instance();
  for (const token of [1, 2]) {
    expect(await grantIn(stored.table, "writer")).toBe(token);
    await under(store, token, String(token));
  }
  await factory.recover({ deadlineMs: 10_000 });
  await stored.delete(logPartition(orders), logHeadRow(orders));
  const repair = await stored.fsck("offline");
  expect(repair.findings).toEqual([]);
  expect(repair.repaired.map(({ kind }) => kind)).toEqual(["log_head_missing"]);
  const { store: later } = stored.instance();
  await expect(under(later, 1, "late")).rejects.toMatchObject(passedOn);
  await under(later, 2, "again");
  await expect(under(later, 1, "late")).rejects.toMatchObject(passedOn);
  await stored.close();
});

test("a token that shuts all holders out is reset, with a record of it, and old ones stay out", async () => {
  const stored = await filled();
  const { store } = stored.instance();
  expect(await grantIn(stored.table, "writer")).toBe(1);
  await under(store, 1, "a");
  const fences = JSON.stringify([["writer", Number.MAX_SAFE_INTEGER]]);
  await stored.change(logPartition(orders), logHeadRow(orders), { fences });
  expect(await grantIn(stored.table, "writer")).toBe(2);
  await expect(under(stored.instance().store, 2, "b")).rejects.toMatchObject({ code: "lease_held" });

  const reset = await resetFence(stored.table, orders, "writer", "never granted");
  expect(reset).toMatchObject({ lease: "writer", token: Number.MAX_SAFE_INTEGER, why: "never granted" });
  expect(await readFences(stored.table, orders)).toEqual({ fences: new Map(), resets: [reset] });
  await expect(under(store, 1, "late")).rejects.toMatchObject(passedOn);
  await under(store, 2, "b");
  expect(await readFences(stored.table, orders)).toEqual({ fences: new Map([["writer", 2]]), resets: [reset] });
  expect((await stored.fsck()).findings).toEqual([]);
  await stored.close();
});

test("a lease that the space does not have cannot be reset", async () => {
  const stored = await filled();
  await expect(resetFence(stored.table, users, "writer", "why")).rejects.toMatchObject({ code: "not_found" });
  expect(await readFences(stored.table, users)).toEqual({ fences: new Map(), resets: [] });
  await stored.close();
});

test("a reset beside live writers loses nothing of theirs", async () => {
  const stored = await filled();
  const { store } = stored.instance();
  await grantIn(stored.table, "writer");
  await under(store, 1, "a");
  const writes = Array.from({ length: 40 }, (_, index) => under(store, 1, String(index)));
  await resetFence(stored.table, orders, "writer", "while they write");
  await Promise.all(writes);
  expect((await stored.fsck()).findings).toEqual([]);
  expect((await all(store.consumeSegment(orders, alpha))).length).toBe(6 + 41);
  await stored.close();
});

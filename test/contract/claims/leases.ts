// A produce that carries a lease's token: once a newer token has committed to the space, an older one never does.

import { expect } from "vitest";
import { limits } from "../../../src/core/limits.ts";
import type { LeaseToken, ProducedChunk, Store } from "../../../src/store/store.ts";
import type { Claim, Context } from "../backend.ts";
import { claim } from "../backend.ts";
import { at, first, newId, orders, produce, record, records, refused, segment, space, spaceEntries } from "../given.ts";

const writer = (token: number, key = "writer"): LeaseToken => ({ key, token });

const append = (store: Store, payload: string, lease: LeaseToken, to = first): Promise<ProducedChunk[]> =>
  produce(store, to, [record(payload)], { lease });

async function payloads(store: Store, of = orders): Promise<string[]> {
  return (await spaceEntries(store, of)).map(({ payload }) => Buffer.from(payload).toString());
}

/** Grants a lease as often as it takes to reach the token. */
async function grant({ backend, id }: Context, token: number, key = "writer"): Promise<void> {
  while ((await backend.grant(id, key)) < token);
}

export const leaseClaims: readonly Claim[] = [
  claim(
    "an older token is refused after a newer one has committed, on either instance, and leaves nothing",
    async (context) => {
      const { store, other } = context;
      await grant(context, 1);
      await append(store, "a", writer(1));
      await grant(context, 2);
      await append(other, "b", writer(2));
      for (const instance of [store, other]) {
        for (const to of [first, segment("order-2")]) {
          const error = await refused(append(instance, "late", writer(1), to), "lease_held");
          expect(error.effect).toBe("none");
          expect(error.details).toEqual({ key: "writer", token: 2, received: 1 });
        }
      }
      expect(await payloads(other)).toEqual(["a", "b"]);
    },
  ),

  claim(
    "a token goes on until a newer one has committed, however new the one that was refused or failed",
    async (context) => {
      const { store, other } = context;
      await grant(context, 3);
      await append(store, "a", writer(3));
      await grant(context, 7);
      await refused(produce(other, first, at([9]), { lease: writer(7) }), "sequence_mismatch");
      await append(store, "b", writer(3));
      await grant(context, 8);
      await append(other, "c", writer(8));
      await refused(append(store, "d", writer(7)), "lease_held");
      expect(await payloads(store)).toEqual(["a", "b", "c"]);
    },
  ),

  claim("tokens count for each lease and each space by itself, and hold nobody up who has none", async (context) => {
    const { store, other } = context;
    const payments = space("payments");
    await grant(context, 5);
    await append(store, "a", writer(5));
    await grant(context, 1, "another");
    await append(other, "b", writer(1, "another"));
    await produce(other, first, [record("c")]);
    await grant(context, 6);
    await produce(other, first, [record("d")], { space: payments, lease: writer(6) });
    await append(other, "e", writer(5));
    await refused(produce(other, first, [record("f")], { space: payments, lease: writer(5) }), "lease_held");
    await refused(append(other, "f", writer(4)), "lease_held");
    expect(await payloads(store)).toEqual(["a", "b", "c", "e"]);
    expect(await payloads(store, payments)).toEqual(["d"]);
  }),

  claim("a token that was never granted is refused, and fences nobody", async (context) => {
    const { store, other } = context;
    const invented = writer(Number.MAX_SAFE_INTEGER);
    for (const instance of [store, other]) await refused(append(instance, "x", invented), "invalid_argument");
    await grant(context, 1);
    await append(store, "a", writer(1));
    for (const token of [2, invented.token]) {
      const error = await refused(append(other, "x", writer(token)), "invalid_argument");
      expect(error.details).toMatchObject({ field: "leaseToken", token: 1, received: token });
    }
    await append(other, "b", writer(1));
    await grant(context, 2);
    await append(other, "c", writer(2));
    expect(await payloads(store)).toEqual(["a", "b", "c"]);
  }),

  claim("where a lease has not written yet, only its last token may", async (context) => {
    const { store, other } = context;
    await grant(context, 2);
    await refused(append(store, "x", writer(1)), "lease_held");
    await append(other, "a", writer(2));
    expect(await payloads(store)).toEqual(["a"]);
  }),

  claim("the repeat of what was committed gets its first answer, whoever holds the lease by then", async (context) => {
    const { store, other } = context;
    const transactionId = newId();
    await grant(context, 1);
    const [answer] = await produce(store, first, records(2), { transactionId, lease: writer(1) });
    await grant(context, 2);
    await append(other, "newer", writer(2));
    const [again] = await produce(store, first, records(2), { transactionId, lease: writer(1) });
    expect(again?.transaction).toEqual({ ...answer?.transaction, duplicate: true });
    expect(await payloads(store)).toEqual(["event 1", "event 2", "newer"]);
  }),

  claim("an older token is told that before its sequences are judged", async (context) => {
    const { store, other } = context;
    await grant(context, 2);
    await append(store, "a", writer(2));
    await refused(produce(other, first, at([1]), { lease: writer(1) }), "lease_held");
  }),

  claim("a produce to several segments carries a token, too", async (context) => {
    const { store, other } = context;
    const both = (payload: string) =>
      ["order-1", "order-2"].map((name) => ({ segment: segment(name), records: [record(payload)] }));
    await grant(context, 1);
    await store.produceAll(orders, both("a"), { lease: writer(1) });
    await grant(context, 2);
    await other.produceAll(orders, both("b"), { lease: writer(2) });
    await refused(store.produceAll(orders, both("c"), { lease: writer(1) }), "lease_held");
    expect(await payloads(store)).toEqual(["a", "a", "b", "b"]);
  }),

  claim("of holders that race, none commits after a newer one has", async (context) => {
    const { store, other } = context;
    await grant(context, 1);
    await append(store, "1", writer(1));
    const tokens = [1, 2, 3, 4, 5, 6];
    await grant(context, 6);
    const outcomes = await Promise.allSettled(
      tokens.flatMap((token) =>
        Array.from({ length: 5 }, async (_, index) => {
          const to = segment(`order-${index % 3}`);
          await append((token + index) % 2 === 0 ? store : other, String(token), writer(token), to);
        }),
      ),
    );
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "lease_held", effect: "none" });
    }
    const commits = new Map<number, number[]>();
    for (const { timestamp, payload } of await spaceEntries(other)) {
      commits.set(timestamp, [...(commits.get(timestamp) ?? []), Number(Buffer.from(payload).toString())]);
    }
    const committed = [...commits.values()];
    expect(committed.flat()).toHaveLength(outcomes.filter(({ status }) => status === "fulfilled").length + 1);
    // Within one commit entries are in the order of their segments: there the order of tokens is not to be seen.
    for (const [index, group] of committed.entries()) {
      const before = Math.max(0, ...committed.slice(0, index).flat());
      expect(Math.min(...group)).toBeGreaterThanOrEqual(before);
    }
  }),

  claim("leases that a space has not seen for long make room for others, and fence as before", async (context) => {
    const { store, other } = context;
    await grant(context, 1);
    await append(store, "1", writer(1));
    await grant(context, 2);
    await append(other, "2", writer(2));
    for (let index = 0; index < limits.leaseKeysPerSpaceMax; index += 1) {
      await grant(context, 1, `lease-${index}`);
      await append(index % 2 === 0 ? store : other, "x", writer(1, `lease-${index}`));
    }
    for (const instance of [store, other]) await refused(append(instance, "late", writer(1)), "lease_held");
    await append(other, "3", writer(2));
    // That one has taken the place of the first of the others.
    await append(store, "x", writer(1, "lease-0"));
    const own = (await payloads(other)).filter((payload) => payload !== "x");
    expect(own).toEqual(["1", "2", "3"]);
  }),
];

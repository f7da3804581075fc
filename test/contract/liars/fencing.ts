// Lies about who may still write, and about how far a space is applied.

import type { ProduceOptions, Store } from "../../../src/store/store.ts";
import type { Liar } from "./liar.ts";
import { except } from "./liar.ts";

export const fencingLiars: readonly Liar[] = [
  { lie: "takes any token of a lease", topic: "leases", tell: (truth) => withOptions(truth, () => ({})) },
  {
    lie: "fences a space with the tokens of another lease",
    topic: "leases",
    tell: (truth) => withOptions(truth, ({ token }) => ({ lease: { key: "one for all", token } })),
  },
  {
    lie: "holds up those who have no lease",
    topic: "leases",
    tell: (truth) => ({
      produce: (space, segment, records, options = {}) =>
        truth.produce(space, segment, records, { lease: { key: "writer", token: 0 }, ...options }),
    }),
  },
  {
    lie: "refuses a repeat because its lease has passed on",
    topic: "leases",
    tell: (truth) => ({
      produce: (space, segment, records, options = {}) =>
        truth.produce(
          space,
          segment,
          records,
          options.lease === undefined ? options : except(options, "transactionId"),
        ),
    }),
  },
  {
    lie: "takes a token for seen that was refused",
    topic: "leases",
    tell: (truth, memory) => ({
      produce: (space, segment, records, options = {}) => {
        const { lease } = options;
        if (lease === undefined) return truth.produce(space, segment, records, options);
        const place = `${truth.id} ${space} ${lease.key}`;
        const seen = Math.max(lease.token, Number(memory.get(place) ?? 0));
        memory.set(place, seen);
        return truth.produce(space, segment, records, {
          ...options,
          lease: { key: lease.key, token: lease.token < seen ? 0 : lease.token },
        });
      },
    }),
  },
  {
    lie: "says that a space is applied for all time to come",
    topic: "applied",
    tell: () => ({ appliedThrough: () => Promise.resolve(Number.MAX_SAFE_INTEGER) }),
  },
  {
    lie: "never says that anything is applied",
    topic: "applied",
    tell: () => ({ appliedThrough: () => Promise.resolve(0) }),
  },
];

/** Every produce that carries a lease, with other options in its stead. */
function withOptions(
  truth: Store,
  instead: (lease: NonNullable<ProduceOptions["lease"]>) => Pick<ProduceOptions, "lease">,
): Partial<Store> {
  const changed = (options: ProduceOptions = {}): ProduceOptions =>
    options.lease === undefined ? options : { ...except(options, "lease"), ...instead(options.lease) };
  return {
    produce: (space, segment, records, options) => truth.produce(space, segment, records, changed(options)),
    produceAll: (space, segments, options) => truth.produceAll(space, segments, changed(options)),
  };
}

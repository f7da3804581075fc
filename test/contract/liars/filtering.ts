// Lies about which entries match, and about how far a filtered reader has come.

import type { EntryFilter } from "../../../src/core/entry-filter.ts";
import type { ConsumeSpaceArgs, Store } from "../../../src/store/store.ts";
import type { Liar } from "./liar.ts";
import { except } from "./liar.ts";

const topic = "filters";

export const filteringLiars: readonly Liar[] = [
  { lie: "lets everything through", topic, tell: (truth) => reading(truth, (args) => except(args, "filter")) },
  {
    lie: "takes a prefix for a whole name",
    topic,
    tell: (truth) => ({
      consumeSpace: async function* (space, args = {}) {
        const prefixes = args.filter?.prefixes ?? [];
        for await (const entry of truth.consumeSpace(space, args)) {
          if (prefixes.length === 0 || prefixes.some((prefix) => entry.segment === String(prefix))) yield entry;
        }
      },
    }),
  },
  {
    lie: "holds an entry against the last value of a key alone",
    topic,
    tell: (truth) =>
      filtering(truth, ({ prefixes, where }) => ({
        prefixes,
        where: new Map([...where].map(([key, values]) => [key, new Set([...values].slice(-1))])),
      })),
  },
  {
    lie: "holds an entry against one key alone",
    topic,
    tell: (truth) => filtering(truth, ({ prefixes, where }) => ({ prefixes, where: new Map([...where].slice(0, 1)) })),
  },
  {
    lie: "counts what it hides against the limit",
    topic,
    tell: (truth) => ({
      consumeSpace: async function* (space, args = {}) {
        let left = args.limit === undefined || args.limit === 0 ? Infinity : args.limit;
        const passed: ConsumeSpaceArgs["passed"] = (place) => {
          left -= 1;
          args.passed?.(place);
        };
        for await (const entry of truth.consumeSpace(space, { ...args, passed })) {
          if (left <= 0) return;
          left -= 1;
          yield entry;
        }
      },
    }),
  },
  { lie: "never says what it has passed", topic, tell: (truth) => reading(truth, (args) => except(args, "passed")) },
  {
    lie: "passes what it has not looked at",
    topic,
    tell: (truth) =>
      reading(truth, (args) => ({
        ...args,
        passed: (place) => args.passed?.({ ...place, timestamp: place.timestamp + 1_000_000 }),
      })),
  },
  {
    lie: "filters one space, and not several",
    topic,
    tell: (truth) => ({ consume: (args) => truth.consume(except(args, "filter")) }),
  },
];

function reading(truth: Store, changed: (args: ConsumeSpaceArgs) => ConsumeSpaceArgs): Partial<Store> {
  return { consumeSpace: (space, args = {}) => truth.consumeSpace(space, changed(args)) };
}

function filtering(truth: Store, changed: (filter: EntryFilter) => EntryFilter): Partial<Store> {
  return reading(truth, (args) => (args.filter === undefined ? args : { ...args, filter: changed(args.filter) }));
}

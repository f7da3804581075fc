// Lies about what was restored of a backup.

import type { Entry } from "../../../src/core/entry.ts";
import { all } from "../given.ts";
import type { Liar } from "./liar.ts";

export const restoringLiars: readonly Liar[] = [
  {
    lie: "restores with times and transactions of its own",
    topic: "restore",
    tell: (truth) => ({
      restoreEntries: async (space, entries, options) => {
        const given = await listed(entries);
        for (const { segment, payload, metadata } of given) {
          await all(truth.produce(space, segment, [{ payload, metadata }], options));
        }
        return { restored: given.length, present: 0, lastTimestamp: given.at(-1)?.timestamp ?? 0 };
      },
    }),
  },
  {
    lie: "leaves out the last of what is restored",
    topic: "restore",
    tell: (truth) => ({
      restoreEntries: async (space, entries, options) => {
        const given = await listed(entries);
        const last = given.at(-1);
        const kept = given.filter(({ timestamp }) => timestamp !== last?.timestamp);
        const told = await truth.restoreEntries(space, kept, options);
        return { ...told, restored: told.restored + given.length - kept.length, lastTimestamp: last?.timestamp ?? 0 };
      },
    }),
  },
  {
    lie: "says of a repeat that it was written once more",
    topic: "restore",
    tell: (truth) => ({
      restoreEntries: async (space, entries, options) => {
        const { present, restored, ...told } = await truth.restoreEntries(space, entries, options);
        return { ...told, present: 0, restored: restored + present };
      },
    }),
  },
  {
    lie: "begins each restored segment at one",
    topic: "restore",
    tell: (truth) => ({
      restoreEntries: async (space, entries, options) => {
        const given = await listed(entries);
        const begins = new Map(given.toReversed().map(({ segment, sequence }) => [segment, sequence]));
        const moved = given.map((entry) => ({ ...entry, sequence: entry.sequence - begins.get(entry.segment)! + 1 }));
        return truth.restoreEntries(space, moved, options);
      },
    }),
  },
  {
    lie: "drops what does not come behind the space, and says that it is there",
    topic: "restore",
    tell: (truth) => ({
      restoreEntries: async (space, entries, options) => {
        const given = await listed(entries);
        const { lastTimestamp } = await truth.getSpaceStatus(space);
        const later = given.filter(({ timestamp }) => timestamp > lastTimestamp);
        const told = await truth.restoreEntries(space, later, options);
        return { ...told, present: given.length - later.length, lastTimestamp: given.at(-1)?.timestamp ?? 0 };
      },
    }),
  },
];

async function listed(entries: AsyncIterable<Entry> | Iterable<Entry>): Promise<Entry[]> {
  const given: Entry[] = [];
  for await (const entry of entries) given.push(entry);
  return given;
}

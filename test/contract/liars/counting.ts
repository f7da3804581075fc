// Lies about how much a space has.

import type { Liar } from "./liar.ts";

const topic = "what a space has";

export const countingLiars: readonly Liar[] = [
  {
    lie: "counts what was trimmed, too",
    topic,
    tell: (truth) => {
      let most = 0;
      return {
        getSpaceStatus: async (space, options) => {
          const status = await truth.getSpaceStatus(space, options);
          most = Math.max(most, status.counts?.entries ?? 0);
          return status.counts === undefined ? status : { ...status, counts: { ...status.counts, entries: most } };
        },
      };
    },
  },
];

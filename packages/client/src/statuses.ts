// Where the segments of a space begin and end, and how that changes.

import type { SegmentStatus } from "./entries.ts";
import type { Followed, Follower } from "./follow.ts";
import type { OperationOptions } from "./options.ts";
import { parsed } from "./read.ts";

export interface StatusOptions extends OperationOptions {
  /** Only this segment. */
  readonly segment?: string | undefined;
  /** Only segments whose names begin so. */
  readonly prefix?: string | undefined;
}

export function followedStatuses(path: string, { segment, prefix }: StatusOptions): Followed<SegmentStatus> {
  return {
    call: (accept) => ({ method: "GET", path, query: { segment, prefix }, accept }),
    isOver: () => false,
    // A segment whose status cannot be read is told by another event, and does not keep the others back.
    item: ({ name, data }) => (name === "message" ? (parsed(data) as SegmentStatus) : undefined),
  };
}

/** Those that there are when the follower has caught up. */
export async function* statusesNow(follower: Follower<SegmentStatus>): AsyncGenerator<SegmentStatus, void, undefined> {
  const iterator = follower[Symbol.asyncIterator]();
  const caughtUp = follower.caughtUp().then(() => undefined);
  // A caller that leaves early does not wait for it any more.
  caughtUp.catch(() => undefined);
  try {
    for (;;) {
      // What was handed out before it had caught up comes first: an item that is there is seen before the end is.
      const next = await Promise.race([iterator.next(), caughtUp]);
      if (next === undefined || next.done === true) return;
      yield next.value;
    }
  } finally {
    await follower.close();
  }
}

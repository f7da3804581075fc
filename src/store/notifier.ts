// The message of a store to the world after it has applied a record: which segments moved, and to where.

import type { SegmentStatus } from "../core/entry.ts";
import type { StoreId, SpaceName } from "../core/ids.ts";

export interface StatusNotification {
  readonly store: StoreId;
  readonly space: SpaceName;
  /** One for each segment that the record touched, as of that record. */
  readonly statuses: readonly SegmentStatus[];
}

/** At least once, in no order. Rejects when the message may not have been taken. */
export interface StatusNotifier {
  notify(notification: StatusNotification, signal?: AbortSignal): Promise<void>;
}

// A store as it redacts entries: part of its interface.

import type { SegmentName, SpaceName } from "../core/ids.ts";
import type { StreamOptions } from "./store.ts";

export interface Redacting {
  /**
   * Removes payload and metadata of these entries, for good: they keep place, time and transaction, and are read as
   * `redacted`, by everybody who begins to read from then on. A repeat of their produce gets its first answer. At most
   * `limits.redactedTogetherMax` of them; again is no error. `invalid_argument`: the segment has not come so far.
   * `trimmed`: one of them was trimmed.
   */
  redact(space: SpaceName, segment: SegmentName, sequences: readonly number[], options?: StreamOptions): Promise<void>;
}

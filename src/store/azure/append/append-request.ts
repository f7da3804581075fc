// One produce as the writer of a space handles it: what is to be appended, until when, and what became of it.

import type { AppendRecord } from "../../../core/entry.ts";
import type { StoreError } from "../../../core/errors.ts";
import type { SegmentName, TransactionId } from "../../../core/ids.ts";
import type { StreamState } from "../../../core/stream.ts";
import type { LeaseToken } from "../../store.ts";
import type { StreamAnswer, StreamWish } from "../../stream-rules.ts";
import type { TransactionPlace } from "../rows/segment-rows.ts";

/** The records for one segment; they become one transaction. */
export interface SegmentAppend {
  readonly segment: SegmentName;
  readonly records: readonly AppendRecord[];
  readonly digest: string;
  /** The size of the entries before compression, bytes. */
  readonly plainBytes: number;
  /** `contentBytes` of all records. */
  readonly contentBytes: number;
  /** Where the caller wants them; undefined: at the tail. */
  readonly firstSequence: number | undefined;
  /** The first record, if any, whose sequence does not follow the one before it. */
  readonly gap: { readonly index: number; readonly received: number } | undefined;
  /**
   * What is wanted of the stream that the segment is; undefined: nothing is known of one. Only with a wish may there be
   * no records.
   */
  readonly wish?: StreamWish | undefined;
}

/** The wish of one produce: all of it in one log record, or nothing. */
export interface AppendRequest {
  readonly id: TransactionId;
  /** The caller chose the id, so it may be a repeat, or be repeated: it is looked up, and kept. */
  readonly keyed: boolean;
  /** Refused when the space has seen a newer token of the lease. */
  readonly lease: LeaseToken | undefined;
  /** The known grants of the lease. */
  readonly grant?: Grant | undefined;
  /** At least one, each of another segment. */
  readonly parts: readonly SegmentAppend[];
}

/** The last token of a lease that had been granted when it was read. */
export interface Grant {
  readonly lastToken: number;
  /** When a key had been dropped last from the version of the log that was known then. */
  readonly droppedAt: number;
}

export interface SegmentAppended {
  readonly place: TransactionPlace;
  /** The segment's state, as far as it is known. */
  readonly firstSequence: number;
  readonly firstTimestamp: number;
  /** The segment's state as a stream afterwards. */
  readonly stream: StreamState | undefined;
}

/**
 * Durable, or a refusal that is proved: nothing of it is or will be in the log. Parts in the order of the request's.
 */
export type AppendOutcome =
  | { readonly kind: "committed"; readonly duplicate: boolean; readonly parts: readonly SegmentAppended[] }
  | {
      readonly kind: "conflict";
      readonly segment: SegmentName;
      readonly lastSequence: number;
      readonly expected: number;
      readonly received: number;
      /** The transaction at the received sequence, where that is known without a read. */
      readonly winner: TransactionId | undefined;
    }
  | { readonly kind: "id_mismatch" }
  /** Nothing is to be written, for the reason that the answer gives. `lastSequence`: of the segment then. */
  | { readonly kind: "stream"; readonly answer: StreamAnswer; readonly lastSequence: number }
  /** A newer holder of the lease has committed. */
  | { readonly kind: "fenced"; readonly token: number }
  | { readonly kind: "failed"; readonly error: StoreError };

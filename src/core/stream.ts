// The state that makes a segment a stream, and how transactions change it. Pure.
//
// A stream has a content type, may be closed, may expire, and knows how far each of its producers has come. All of it
// is told by the records of its space's log, so that each of these is decided where sequences are decided: at one
// version of the log.

/** The state of a segment as a stream. */
export interface StreamState {
  /** The timestamp of the record that made it: a stream that is made again under the name is another one. */
  readonly life: number;
  /** The first sequence that belongs to it; what is there of the segment begins later where it was trimmed. */
  readonly firstSequence: number;
  readonly contentType: string;
  readonly closed: boolean;
  /** It ends so long after it was last used; undefined: it does not. */
  readonly ttlSeconds: number | undefined;
  /** When it ends, milliseconds; undefined: never. */
  readonly expiresAt: number | undefined;
  /** The greatest `Stream-Seq` so far, compared as text. */
  readonly lastSeq: string | undefined;
}

/** How far a producer has come in a stream. */
export interface ProducerState {
  readonly epoch: number;
  /** The number of its last append: 0, 1, 2 ... in each epoch. */
  readonly sequence: number;
  /** Timestamp of the record that says so. */
  readonly timestamp: number;
  /** The stream's life. */
  readonly life: number;
}

/** An append as its producer names it. */
export interface ProducerStep {
  readonly id: string;
  readonly epoch: number;
  readonly sequence: number;
}

/** A transaction's change of its segment, beside its entries, which may be none. */
export type SegmentChange =
  | {
      readonly kind: "make";
      readonly contentType: string;
      readonly ttlSeconds?: number | undefined;
      /** Milliseconds; where it has no `ttlSeconds`. */
      readonly expiresAt?: number | undefined;
      readonly closed: boolean;
      /** The segment's entries so far belong to it; else it begins behind them. */
      readonly adopts: boolean;
    }
  | {
      readonly kind: "append";
      readonly life: number;
      readonly producer?: ProducerStep | undefined;
      readonly seq?: string | undefined;
      readonly closes: boolean;
    }
  /** Only that it was used. */
  | { readonly kind: "use" }
  /** It ends now. */
  | { readonly kind: "end" }
  /**
   * It is of a backup, and follows the transaction with the number `after` (0: none), whatever its own number is. A
   * segment without entries begins with it, at any sequence.
   */
  | { readonly kind: "restore"; readonly after: number };

/**
 * A sliding end is stored as so much more than was asked for: whoever uses the stream in the first tenth of it writes
 * nothing.
 */
const slidingFactor = 1.1;

/** Whether the stream has ended by itself. */
export function isExpired({ expiresAt }: Pick<StreamState, "expiresAt">, now: number): boolean {
  return expiresAt !== undefined && now >= expiresAt;
}

/** Whether a use of the stream at this time has to be written down, so that it lasts for as long as was asked for. */
export function needsRenewal({ expiresAt, ttlSeconds }: StreamState, now: number): boolean {
  return ttlSeconds !== undefined && expiresAt !== undefined && expiresAt - now < ttlSeconds * 1_000;
}

/**
 * The stream after a transaction of its segment; undefined: the segment is none. `firstSequence`: of its first entry,
 * or of the next one.
 */
export function changedStream(
  stream: StreamState | undefined,
  change: SegmentChange | undefined,
  { timestamp, firstSequence }: { readonly timestamp: number; readonly firstSequence: number },
): StreamState | undefined {
  if (change?.kind === "make") {
    const { adopts, closed, contentType, expiresAt, ttlSeconds } = change;
    return {
      life: timestamp,
      firstSequence: adopts ? 1 : firstSequence,
      ...{ contentType, closed, ttlSeconds },
      expiresAt: ttlSeconds === undefined ? expiresAt : endOf(ttlSeconds, timestamp),
      lastSeq: undefined,
    };
  }
  // An entry written to an ended stream is an entry of the segment alone.
  if (stream === undefined || isExpired(stream, timestamp)) return stream;
  if (change?.kind === "end") return { ...stream, expiresAt: timestamp };
  const { ttlSeconds } = stream;
  const renewed =
    ttlSeconds !== undefined && needsRenewal(stream, timestamp)
      ? { ...stream, expiresAt: endOf(ttlSeconds, timestamp) }
      : stream;
  if (change?.kind !== "append") return renewed;
  return { ...renewed, closed: renewed.closed || change.closes, lastSeq: change.seq ?? renewed.lastSeq };
}

function endOf(ttlSeconds: number, from: number): number {
  return from + Math.ceil(ttlSeconds * 1_000 * slidingFactor);
}

// Consumers as they are set and seen: rules, states, what is parked; and as the service has them.

import type { Offsets } from "./reading.ts";

export interface ConsumerRules {
  /** Spaces that are read as one, 1 to 16. More may be added later, none left out. */
  readonly spaces: readonly string[];
  /** How many workers can share the work, 1 to 64; fixed for the consumer's life. Default 4. */
  readonly partitions?: number | undefined;
  /** Only segments whose name begins with one of these. */
  readonly prefix?: readonly string[] | undefined;
  /** Only entries with this metadata: `key:value`, any of one key's values, all of several keys. */
  readonly where?: readonly string[] | undefined;
  /** Deliveries of an entry that fail before it is parked. Default 5. */
  readonly maxDeliveries?: number | undefined;
  /** How long a partition waits after its first, second, third ... failure in a row. Default 1, 5, 30, 120. */
  readonly backoffSeconds?: readonly number[] | undefined;
  /** `park`: the entry alone. `parkSegment`, the default: with what comes to its segment. */
  readonly onPoison?: "parkSegment" | "park" | undefined;
  /** How long a worker holds a partition without a word. Default 30. */
  readonly leaseSeconds?: number | undefined;
  /** Parked segments, or entries, of one partition: there it stops. Default 1,000. */
  readonly maxParked?: number | undefined;
  /** Nothing is delivered. */
  readonly paused?: boolean | undefined;
}

/** Where it begins: `start`, `end`, what was committed then or later, or behind a place of each space. */
export type ConsumerFrom =
  "start" | "end" | { readonly timestamp: number; readonly offsets?: undefined } | { readonly offsets: Offsets };

export type WantedConsumer = ConsumerRules & {
  /** Counts when it is made, and for spaces that are added. Default `end`. */
  readonly from?: ConsumerFrom | undefined;
};

export interface Consumer {
  readonly name: string;
  readonly spaces: readonly string[];
  readonly partitions: number;
  readonly prefix: readonly string[];
  readonly where: readonly string[];
  readonly maxDeliveries: number;
  readonly backoffSeconds: readonly number[];
  readonly onPoison: "parkSegment" | "park";
  readonly leaseSeconds: number;
  readonly maxParked: number;
  readonly paused: boolean;
  /** Milliseconds since 1970, as all times here. */
  readonly createdAt: number;
  /** Grows with each reset. */
  readonly generation: number;
}

export interface ConsumerState extends Consumer {
  /** Of each partition. */
  readonly state: readonly PartitionState[];
}

export interface PartitionState {
  readonly partition: number;
  /** Of each space: everything up to this cursor is done, parked or another's. */
  readonly position: Offsets;
  /** How long the first entry that it has not come to has waited; 0: there is none. */
  readonly lagMs: number;
  readonly holder?: string;
  readonly expiresAt?: number;
  readonly token: number;
  readonly outstanding: boolean;
  readonly failing?: {
    readonly space: string;
    readonly segment: string;
    readonly sequence: number;
    readonly failures: number;
    readonly reason: string;
  };
  readonly waitsUntil?: number;
  readonly acknowledgedAt?: number;
  readonly parked: number;
  readonly oldestParkedAt?: number;
  readonly trimmed?: Gap;
}

/** What was trimmed before it was delivered, from behind the first places to the second. */
export interface Gap {
  readonly from: Offsets;
  readonly to: Offsets;
}

/** An entry that failed for good, or the first one of a segment that waits behind such a one. */
export interface Parked {
  readonly id: string;
  readonly partition: number;
  readonly space: string;
  readonly segment: string;
  readonly sequence: number;
  readonly offset: string;
  readonly reason: string;
  readonly failures: number;
  readonly parkedAt: number;
  /** The entry alone; absent, what comes to its segment as well. */
  readonly alone?: true;
  /** It is to be delivered again. */
  readonly replay?: true;
  /** The entries were trimmed meanwhile. */
  readonly gone?: true;
}

/** Which of what is parked. An id means its segment up to its entry. */
export type WhichParked =
  { readonly ids: readonly string[] } | { readonly space: string; readonly segment: string } | { readonly all: true };

export interface SettledParked {
  /** Segments, or entries, that were given the wish. */
  readonly changed: number;
  /** Others are left: the limit kept them back. */
  readonly more: boolean;
}

/** `from` as the service has it. */
export function fromText(from: ConsumerFrom | undefined): { readonly from?: string; readonly offsets?: Offsets } {
  if (from === undefined) return {};
  if (typeof from === "string") return { from };
  return from.offsets === undefined ? { from: String(from.timestamp) } : { offsets: from.offsets };
}

// What a reader asks for and how far it has come: of a segment by sequence, of a space by offset, of several spaces by
// the offset of each.
//
// Promise: a reading that goes on asks for what follows the last entry that was handed out, no more and no less.

import { StreamkitError } from "./errors.ts";
import type { Query } from "./paths.ts";
import type { Call } from "./transport.ts";

/** Options of every reader. */
export interface ReadBounds {
  /** Only entries later than this time, milliseconds since 1970. */
  readonly after?: number | undefined;
  /** Only entries up to this time, inclusive, milliseconds since 1970. */
  readonly until?: number | undefined;
  /** At most so many entries. */
  readonly limit?: number | undefined;
  /** Where what comes next was trimmed: go on from the earliest that there is, instead of failing with `trimmed`. */
  readonly clamp?: boolean | undefined;
}

/** Only some of the entries of a space, or of several. `limit` counts those alone. */
export interface EntryFilter {
  /** Only entries of segments whose names begin so; of several, with any of them. */
  readonly prefix?: string | readonly string[] | undefined;
  /** Only entries with this metadata: of each key the value, or any of the values. */
  readonly where?: Readonly<Record<string, string | readonly string[]>> | undefined;
}

/** For reads of a segment, which may be behind its space for a moment. */
export interface MinOptions {
  /**
   * An offset of its space: the segment is read with everything that the space has up to there, such as one's own
   * append with `ack: "committed"`.
   */
  readonly min?: string | undefined;
}

export interface SegmentBounds extends ReadBounds, MinOptions {
  /** The first sequence; `"end"`: behind what there is now. Default: the start. */
  readonly from?: number | "end" | undefined;
  /** The last sequence, inclusive. */
  readonly to?: number | undefined;
  /** Only the newest so many, in order, at most 1,000. */
  readonly last?: number | undefined;
}

export interface SpaceBounds extends ReadBounds, EntryFilter {
  /** Behind this place: the `offset` of an entry; `"end"`: behind what there is now. Default: the start. */
  readonly offset?: string | undefined;
  /** Only the newest so many, in order, at most 1,000. */
  readonly last?: number | undefined;
}

/** The place in each space to go on from: `""` is the start, `"end"` is behind the last entry of now. */
export type Offsets = Readonly<Record<string, string>>;

/** The place of an entry, as far as readings need it. */
export interface Passed {
  readonly space: string;
  readonly sequence: number;
  readonly offset: string;
}

export interface Reading {
  /** The entries behind the present place, at most so many. */
  call(accept: string, most?: number): Call;
  passed(entry: Passed): void;
  /** Goes on from `next` of an answer. */
  goTo(next: unknown): void;
  /** Nothing more can be asked for. */
  isOver(): boolean;
}

/** Reads a segment, or a space: the same request but for the name of the place. */
export function reading(of: "segment" | "space", path: string, bounds: SegmentBounds & SpaceBounds): Reading {
  const { after, until, clamp, to, min } = bounds;
  const filter = filterOf(bounds);
  const isSegment = of === "segment";
  let place = isSegment ? bounds.from : bounds.offset;
  let { last } = bounds;
  let left = bounds.limit ?? Infinity;
  const goTo = (next: unknown): void => {
    place = next as string | number;
    // The newest were those when it was first asked.
    last = undefined;
  };
  return {
    call(accept, most = Infinity) {
      const limit = finite(Math.min(left, most));
      const query: Query = { [isSegment ? "from" : "offset"]: place, to, last, after, until, limit, clamp, min };
      return { method: "GET", path, query: { ...query, ...filter }, accept };
    },
    passed({ sequence, offset }) {
      if (last !== undefined && left === Infinity) left = last;
      goTo(isSegment ? sequence + 1 : offset);
      left -= 1;
    },
    goTo,
    isOver: () => left <= 0 || (to !== undefined && to > 0 && typeof place === "number" && place > to),
  };
}

/** Reads several spaces of a store, merged by time. */
export function severalReading(path: string, offsets: Offsets, bounds: ReadBounds & EntryFilter): Reading {
  const { after, until, clamp } = bounds;
  const filter = filterOf(bounds);
  const places = new Map(Object.entries(offsets));
  let left = bounds.limit ?? Infinity;
  return {
    call(accept, most = Infinity) {
      const limit = finite(Math.min(left, most));
      const body = JSON.stringify({ offsets: Object.fromEntries(places), after, until, limit, clamp, ...filter });
      return { method: "POST", path, accept, contentType: "application/json", body };
    },
    passed({ space, offset }) {
      places.set(space, offset);
      left -= 1;
    },
    goTo(next) {
      for (const [space, offset] of Object.entries(next as Offsets)) places.set(space, offset);
    },
    isOver: () => left <= 0,
  };
}

function finite(limit: number): number | undefined {
  return limit === Infinity ? undefined : limit;
}

/**
 * As the service takes it: `key:value`, where the key ends at the first colon. What would let nothing through is
 * refused, since the service takes an empty list for no filter.
 */
function filterOf({ prefix, where }: EntryFilter): Query {
  const conditions = Object.entries(where ?? {}).flatMap(([key, values]) => {
    if (key.includes(":")) {
      throw new StreamkitError("invalid_argument", `where: expected keys without a colon; received ${key}.`);
    }
    return valuesOf(`where.${key}`, values).map((value) => `${key}:${value}`);
  });
  return {
    ...(prefix === undefined ? {} : { prefix: valuesOf("prefix", prefix) }),
    ...(conditions.length === 0 ? {} : { where: conditions }),
  };
}

function valuesOf(field: string, values: string | readonly string[]): readonly string[] {
  if (values.length > 0 || typeof values === "string") return typeof values === "string" ? [values] : values;
  throw new StreamkitError("invalid_argument", `${field}: expected one value at least.`);
}

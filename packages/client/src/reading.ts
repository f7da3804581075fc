// What a reader asks for and how far it has come: of a segment by sequence, of a space by offset, of several spaces by
// the offset of each.
//
// Promise: a reading that goes on asks for what follows the last entry that was handed out, no more and no less.

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

export interface SegmentBounds extends ReadBounds {
  /** The first sequence; `"end"`: behind what there is now. Default: the start. */
  readonly from?: number | "end" | undefined;
  /** The last sequence, inclusive. */
  readonly to?: number | undefined;
  /** Only the newest so many, in order, at most 1,000. */
  readonly last?: number | undefined;
}

export interface SpaceBounds extends ReadBounds {
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
  const { after, until, clamp, to } = bounds;
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
      const query: Query = { [isSegment ? "from" : "offset"]: place, to, last, after, until, limit, clamp };
      return { method: "GET", path, query, accept };
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
export function severalReading(path: string, offsets: Offsets, bounds: ReadBounds): Reading {
  const { after, until, clamp } = bounds;
  const places = new Map(Object.entries(offsets));
  let left = bounds.limit ?? Infinity;
  return {
    call(accept, most = Infinity) {
      const limit = finite(Math.min(left, most));
      const body = JSON.stringify({ offsets: Object.fromEntries(places), after, until, limit, clamp });
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

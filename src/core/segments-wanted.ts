// Which segments of a space somebody wants to be told of: all, one, or those whose names begin alike.

import { invalidArgument } from "./errors.ts";
import type { SegmentName, SegmentPrefix } from "./ids.ts";

/** In the place of a name: any. */
export const anyName = "*";

export interface SegmentsWanted {
  /** `*`: any. */
  readonly segment: SegmentName;
  /** Restricts any segment to those whose names begin with this prefix. Undefined: all of them. */
  readonly prefix: SegmentPrefix | undefined;
}

/** `invalid_argument` when both name segments: which of them is meant cannot be known. */
export function segmentsWanted(segment: SegmentName = anyName as SegmentName, prefix?: SegmentPrefix): SegmentsWanted {
  if (prefix !== undefined && segment !== anyName) {
    throw invalidArgument("prefix", "it without a segment, or with the segment *", prefix);
  }
  return { segment, prefix };
}

export function isWantedSegment({ segment, prefix }: SegmentsWanted, name: SegmentName): boolean {
  if (segment !== anyName) return segment === name;
  return prefix === undefined || name.startsWith(prefix);
}

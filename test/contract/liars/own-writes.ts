// Lies about how far a segment is read for who has written to it.

import type { Liar } from "./liar.ts";
import { except } from "./liar.ts";
import { without } from "./reading.ts";

export const ownWriteLiars: readonly Liar[] = [
  {
    lie: "reads a segment whatever its `min` says",
    topic: "own writes",
    tell: (truth) => ({
      consumeSegment: (space, segment, args = {}) => truth.consumeSegment(space, segment, except(args, "min")),
    }),
  },
  {
    lie: "peeks at a segment whatever its `min` says",
    topic: "own writes",
    tell: (truth) => ({ peek: (space, segment, options = {}) => truth.peek(space, segment, except(options, "min")) }),
  },
  {
    lie: "stops before its `min`",
    topic: "own writes",
    tell: (truth) => ({
      consumeSegment: (space, segment, args = {}) =>
        args.min === undefined
          ? truth.consumeSegment(space, segment, args)
          : without(2, truth.consumeSegment(space, segment, args)),
    }),
  },
];

// Backends that lie about streams.

import type { Store, StreamRequest } from "../../../src/store/store.ts";
import type { StreamWish } from "../../../src/store/stream-rules.ts";
import type { Liar } from "./liar.ts";

const topic = "streams";

/** Passes on another wish than it was given, where an append is wished. */
function wishing(change: (wish: Extract<StreamWish, { kind: "append" }>) => StreamWish): Liar["tell"] {
  return (truth): Partial<Store> => ({
    changeStream: (space, segment, request: StreamRequest, options) => {
      const wish = request.wish.kind === "append" ? change(request.wish) : request.wish;
      return truth.changeStream(space, segment, { ...request, wish }, options);
    },
  });
}

export const streamingLiars: readonly Liar[] = [
  {
    lie: "appends what a producer repeats once more",
    topic,
    tell: wishing((wish) => ({ ...wish, producer: undefined })),
  },
  {
    lie: "takes every epoch of a producer for one",
    topic,
    tell: wishing((wish) => ({ ...wish, producer: wish.producer && { ...wish.producer, epoch: 0 } })),
  },
  {
    lie: "lets a closed stream go on",
    topic,
    tell: wishing((wish) => ({ ...wish, closes: false })),
  },
  {
    lie: "forgets the sequence of the caller's own",
    topic,
    tell: wishing((wish) => ({ ...wish, seq: undefined })),
  },
  {
    lie: "appends to a stream that is not the one that is meant",
    topic,
    tell: wishing((wish) => ({ ...wish, life: undefined })),
  },
  {
    lie: "takes text for JSON",
    topic,
    tell: (truth) => ({
      changeStream: (space, segment, request, options) => {
        const { wish } = request;
        const made = wish.kind === "make" ? { ...wish, contentType: "text/plain" } : wish;
        return truth.changeStream(space, segment, { ...request, wish: made }, options);
      },
    }),
  },
  {
    lie: "lets no stream end",
    topic,
    tell: (truth) => ({
      changeStream: (space, segment, request, options) => {
        const { wish } = request;
        const made = wish.kind === "make" ? { ...wish, ttlSeconds: undefined, expiresAt: undefined } : wish;
        return truth.changeStream(space, segment, { ...request, wish: made }, options);
      },
    }),
  },
  {
    lie: "knows nothing of a stream without entries",
    topic,
    tell: (truth) => ({
      streamOf: async (space, segment, options) => {
        const status = await truth.streamOf(space, segment, options);
        return status?.lastSequence === 0 ? undefined : status;
      },
    }),
  },
];

// How long an upload is waited for: to its end, or as long as it keeps the pace that the host's server asks for.
// Promise: whoever stalls or trickles is noticed in bounded time, and neither holds a connection nor an answer for
// ever.

import type { IncomingMessage, ServerResponse } from "node:http";

export interface UploadPace {
  readonly windowMs: number;
  /** What must come in each window, with the frames of its chunks. */
  readonly windowBytes: number;
  /** However it keeps the pace. */
  readonly wholeMs: number;
}

/** Of the host's server (Kestrel): 240 bytes a second, looked at after five. It has no limit for the whole. */
export const hostPace: UploadPace = { windowMs: 5_000, windowBytes: 1_200, wholeMs: Number.POSITIVE_INFINITY };

/** Of what is left when the app has answered: nobody reads it any more. */
export const leftoverPace: UploadPace = { ...hostPace, wholeMs: 120_000 };

/** Resolves when the upload has ended, was cut (`over`), or fell behind (`behind`). Somebody else must read it. */
export async function uploadEnd(request: IncomingMessage, pace: UploadPace): Promise<"over" | "behind"> {
  if (request.complete || request.destroyed) return "over";
  const { promise, resolve } = Promise.withResolvers<"over" | "behind">();
  const { socket } = request;
  let counted = socket.bytesRead;
  let waitedMs = 0;
  const look = (): void => {
    const bytes = socket.bytesRead - counted;
    counted += bytes;
    waitedMs += pace.windowMs;
    if (bytes < pace.windowBytes || waitedMs >= pace.wholeMs) resolve("behind");
  };
  // What came while this process was busy is read first: it is not the caller that was slow.
  const watch = setInterval(() => setImmediate(look), pace.windowMs);
  const over = (): void => resolve("over");
  request.once("end", over);
  request.once("close", over);
  try {
    return await promise;
  } finally {
    clearInterval(watch);
    request.off("end", over);
    request.off("close", over);
  }
}

/** Closes the connection of an answer that was sent before its upload had ended, unless the upload ends in time. */
export function closeUnlessUploaded(response: ServerResponse, pace: UploadPace = leftoverPace): void {
  response.once("finish", () => {
    const { req: request, socket } = response;
    void uploadEnd(request, pace).then((end) => {
      if (end === "behind") (socket ?? request.socket).destroy();
    });
  });
}

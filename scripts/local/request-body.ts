// The body of a request as the host treats it before the function sees it.
// Promise: with a Content-Length it was read whole and is within the limit; without one it streams and is cut at the limit.

import type { IncomingMessage } from "node:http";
import { Transform } from "node:stream";
import { buffer } from "node:stream/consumers";

/** The host's limit for the body of a request. */
export const bodyBytesMax = 104_857_600;

export type RequestBody =
  | { readonly kind: "whole"; readonly bytes: Buffer }
  | { readonly kind: "streamed"; readonly stream: Transform }
  | { readonly kind: "too_large" }
  | { readonly kind: "gone" };

export class BodyTooLarge extends Error {
  override readonly name = "BodyTooLarge";
}

export async function readRequestBody(request: IncomingMessage): Promise<RequestBody> {
  const declared = request.headers["content-length"];
  if (declared === undefined) {
    if (request.headers["transfer-encoding"] === undefined) return { kind: "whole", bytes: Buffer.alloc(0) };
    return { kind: "streamed", stream: limitedBody(request) };
  }
  if (Number(declared) > bodyBytesMax) return { kind: "too_large" };
  try {
    return { kind: "whole", bytes: await buffer(request) };
  } catch {
    return { kind: "gone" };
  }
}

/** For an app without HTTP streaming: there the host waits for a chunked body too. */
export async function readWhole(body: RequestBody & { readonly kind: "streamed" }): Promise<RequestBody> {
  try {
    return { kind: "whole", bytes: await buffer(body.stream) };
  } catch (error) {
    return { kind: error instanceof BodyTooLarge ? "too_large" : "gone" };
  }
}

/** Not a `pipeline`: that would end the client's connection with the stream, and with it the answer. */
function limitedBody(request: IncomingMessage): Transform {
  let seen = 0;
  const limited = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.byteLength;
      if (seen > bodyBytesMax) done(new BodyTooLarge("The body is over the limit."));
      else done(null, chunk);
    },
  });
  request.pipe(limited);
  request.on("error", (error) => limited.destroy(error));
  // What nobody wants any more is read and dropped, so that the client gets to read its answer.
  limited.on("close", () => {
    request.unpipe(limited);
    request.resume();
  });
  return limited;
}

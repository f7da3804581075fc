// The body of a request as the host treats it before the function sees it.
// Promise: with a Content-Length it was read whole and is within the limit; without one it streams and is cut at the
// limit.

import type { IncomingMessage } from "node:http";
import { type Readable, Transform } from "node:stream";
import { buffer } from "node:stream/consumers";
import { hostPace, uploadEnd, type UploadPace } from "./upload-end.ts";

/** The host's limit for the body of a request. */
export const bodyBytesMax = 104_857_600;

export type RequestBody =
  | { readonly kind: "whole"; readonly bytes: Buffer }
  | { readonly kind: "streamed"; readonly stream: Transform }
  | { readonly kind: "too_large" }
  /** It fell behind the pace that the host asks for. */
  | { readonly kind: "stalled" }
  | { readonly kind: "gone" };

export class BodyTooLarge extends Error {
  override readonly name = "BodyTooLarge";
}

export async function readRequestBody(request: IncomingMessage, pace: UploadPace = hostPace): Promise<RequestBody> {
  const declared = request.headers["content-length"];
  if (declared === undefined) {
    if (request.headers["transfer-encoding"] === undefined) return { kind: "whole", bytes: Buffer.alloc(0) };
    return { kind: "streamed", stream: limitedBody(request) };
  }
  if (Number(declared) > bodyBytesMax) return { kind: "too_large" };
  return inTime(request, request, pace);
}

/** For an app without HTTP streaming: there the host waits for a chunked body too. */
export function readWhole(
  request: IncomingMessage,
  body: RequestBody & { readonly kind: "streamed" },
  pace: UploadPace = hostPace,
): Promise<RequestBody> {
  return inTime(request, body.stream, pace);
}

async function inTime(request: IncomingMessage, stream: Readable, pace: UploadPace): Promise<RequestBody> {
  const whole = buffer(stream).then(
    (bytes): RequestBody => ({ kind: "whole", bytes }),
    (error: unknown): RequestBody => ({ kind: error instanceof BodyTooLarge ? "too_large" : "gone" }),
  );
  const behind = uploadEnd(request, pace).then((end): RequestBody | Promise<RequestBody> =>
    end === "behind" ? { kind: "stalled" } : whole,
  );
  return Promise.race([whole, behind]);
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

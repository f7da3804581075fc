// What holds of every answer, whichever endpoint it comes from.
//
// Promise: HEAD is answered as GET, without a body, and nothing that the body would have needed stays behind. Pages of the origins that
// are set may read it, whether it is a success or an error.

import { withCors } from "./cors.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Connection, HttpRequest, SentResponse } from "./http.ts";
import type { Services } from "./services.ts";

export async function everyAnswer(
  endpoint: Endpoint,
  services: Services,
  request: HttpRequest,
  connection: Connection,
): Promise<SentResponse> {
  const answered = await endpoint(services, request, connection);
  const answer = { ...answered, headers: withCors(services.origins, request, answered.headers) };
  if (request.method !== "HEAD") return answer;
  const { body, ...rest } = answer;
  if (body !== undefined && typeof body !== "string") await leave(body);
  return rest;
}

/** A body gives back what it holds when it ends; one that was never begun has no end. */
async function leave(body: AsyncIterable<string | Uint8Array> | Iterable<string>): Promise<void> {
  for await (const _ of body) return;
}

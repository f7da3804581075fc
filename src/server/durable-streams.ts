// The Durable Streams protocol at its two paths: every method of a stream, and the streams of the space that a setting
// names under a short path.

import { appendToStream, deleteStream, makeStream } from "./durable-write.ts";
import { readStream } from "./durable-read.ts";
import type { Endpoint } from "./endpoint.ts";
import { fallback } from "./fallback.ts";

const methods: Readonly<Record<string, Endpoint>> = {
  PUT: makeStream,
  POST: appendToStream,
  GET: readStream,
  HEAD: readStream,
  DELETE: deleteStream,
};

export const durableStream: Endpoint = (services, request, connection) =>
  (methods[request.method] ?? fallback)(services, request, connection);

/** `/v1/stream/a/b` is `/v1/stores/{store}/spaces/{space}/streams/a/b`. */
export const defaultStream: Endpoint = (services, request, connection) => {
  const { defaultStreams } = services;
  if (defaultStreams === undefined) return fallback(services, request, connection);
  const { store, space } = defaultStreams;
  const inSpace = `/v1/stores/${store}/spaces/${encodeURIComponent(space)}/streams`;
  const url = request.url.replace(/^([^/]*\/\/[^/]*)\/v1\/stream\//i, `$1${inSpace}/`);
  const { body, headers, method } = request;
  return durableStream(services, { body, headers, method, url, sentUrl: request.url }, connection);
};

// The interface as a page to read and try: Swagger UI over /openapi.json, served from files of the app, with no other
// network.

import { readFile } from "node:fs/promises";

import { StoreError } from "../core/errors.ts";
import { mediaTypes, matchPath } from "../wire/operation.ts";
import { correlate } from "./request-metrics.ts";
import type { HttpResponse } from "./http.ts";
import { withFields } from "../core/logger.ts";
import { piecesOf } from "./http.ts";
import { logFailure, problemAnswer } from "./endpoint.ts";
import type { Endpoint } from "./endpoint.ts";

export const docsPath = "/docs";
export const docsFilePath = "/docs/{file}";

/** The viewer's files: copied beside the bundle by the build. */
export const viewerFiles = ["swagger-ui-bundle.js", "swagger-ui.css"] as const;

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>streamkit</title>
    <link rel="icon" href="data:," />
    <link rel="stylesheet" href="/docs/swagger-ui.css" />
  </head>
  <body>
    <div id="ui"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;

/** A stream of events does not end by itself: what comes in this time is shown. */
const eventsMs = 5_000;

const start = `const readFor = ${eventsMs};

// The viewer shows an answer when it has ended. For a live stream it shows what came, and that it left the stream.
async function readEvents(url, request) {
  const leaving = new AbortController();
  const answer = await fetch(url, { ...request, signal: leaving.signal });
  if (!(answer.headers.get("content-type") ?? "").startsWith("text/event-stream")) return answer;
  const timer = setTimeout(() => leaving.abort(), readFor);
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (const reader = answer.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
    }
  } catch {
    text += ": this page left the stream after " + readFor / 1000 + " seconds\\n";
  }
  clearTimeout(timer);
  return new Response(text, { status: answer.status, headers: { ...Object.fromEntries(answer.headers), "content-type": "text/plain" } });
}

SwaggerUIBundle({
  url: "/openapi.json",
  requestInterceptor: (request) => {
    const accept = request.headers?.Accept ?? request.headers?.accept ?? "";
    if (accept.includes("text/event-stream")) request.userFetch = readEvents;
    return request;
  },
  dom_id: "#ui",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
`;

/** Nothing from elsewhere, nothing inline but the styles that the viewer sets. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export const docs: Endpoint = (services, request) => {
  const { requestId } = correlate(request.headers, services.random);
  const headers = { ...headersOf(mediaTypes.html, requestId), "content-security-policy": policy };
  return Promise.resolve({ status: 200, headers, body: page });
};

/** `folder` holds the viewer's files. */
export function docsFile(folder: URL): Endpoint {
  const texts = new Map<string, Promise<string>>([["start.js", Promise.resolve(start)]]);
  return async (services, request): Promise<HttpResponse> => {
    const correlation = correlate(request.headers, services.random);
    try {
      const file = matchPath(docsFilePath, new URL(request.url).pathname)?.get("file") ?? "";
      if (viewerFiles.some((name) => name === file) && !texts.has(file)) {
        texts.set(file, readFile(new URL(file, folder), "utf8"));
      }
      const body = await texts.get(file);
      if (body === undefined) throw new StoreError("not_found", "There is nothing at this path.");
      const type = file.endsWith(".css") ? "text/css" : "text/javascript";
      return { status: 200, headers: headersOf(`${type}; charset=utf-8`, correlation.requestId), body: piecesOf(body) };
    } catch (error) {
      // A file that could not be read is read again for the next caller.
      for (const name of viewerFiles) texts.delete(name);
      logFailure(
        withFields(services.logger, { ...correlation }),
        "a file of the documentation cannot be served",
        error,
      );
      return problemAnswer(error, correlation);
    }
  };
}

function headersOf(type: string, requestId: string): Record<string, string> {
  return {
    "content-type": type,
    "x-request-id": requestId,
    "x-content-type-options": "nosniff",
    "cache-control": "public, max-age=3600",
  };
}

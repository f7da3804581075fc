// The app with a connection string, before something that listens where Azure Monitor would.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startApp } from "./harness.ts";

/** Of 127.0.0.1, by itself, for tests: a certificate and its key. The exporter speaks TLS alone. */
const pem = join(import.meta.dirname, "../fixtures/loopback.pem");

let server: Server;
let endpoint: string;
const sent: string[] = [];

beforeAll(async () => {
  const identity = readFileSync(pem);
  server = createServer({ cert: identity, key: identity }, (request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const body = Buffer.concat(pieces);
      sent.push((request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body).toString());
      response.writeHead(200, { "content-type": "application/json" });
      response.end('{"itemsReceived":1,"itemsAccepted":1,"errors":[]}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  endpoint = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

test("measurements go where the connection string says, when the app ends at the latest, in the caller's trace", async () => {
  const app = await startApp({
    env: {
      APPLICATIONINSIGHTS_CONNECTION_STRING: `InstrumentationKey=${randomUUID()};IngestionEndpoint=${endpoint}`,
      NODE_EXTRA_CA_CERTS: pem,
      // The exporter's own telemetry about itself goes elsewhere.
      APPLICATION_INSIGHTS_NO_STATSBEAT: "true",
    },
  });
  const traceId = randomUUID().replaceAll("-", "");
  try {
    const path = `${app.url}/v1/stores/${randomUUID()}/spaces/hidden-space/segments/hidden-segment/records?encoding=text`;
    const answer = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json", traceparent: `00-${traceId}-b7ad6b7169203331-01` },
      body: '{"records":[{"payload":"hidden-payload"}]}',
    });
    expect(answer.status, app.logs()).toBe(200);
  } finally {
    await app.stop("SIGTERM");
  }
  const text = sent.join("\n");
  for (const metric of ["streamkit.produce.records", "streamkit.commit.duration", "db.client.operation.duration"]) {
    expect(text, app.logs()).toContain(`"${metric}"`);
  }
  expect(text).toContain(traceId);
  expect(text).toContain("POST /v1/stores/{store}/spaces/{space}/segments/{segment}/records");
  expect(text).not.toContain("hidden-");
});

// Bodies in gzip, both ways: the same as without, bounded whatever they unpack to, and packed only for those who ask.

import { randomBytes, randomUUID } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";

import { afterEach, describe, expect, test } from "vitest";

import { unseenConnection, wantsGzip } from "../../../src/server/http.ts";
import { Budget } from "../../../src/server/overload.ts";
import { mediaTypes } from "../../../src/wire/operation.ts";
import { openService, segmentPath } from "./in-process.ts";
import type { Service } from "./in-process.ts";

const MiB = 1024 * 1024;
const open: Service[] = [];
afterEach(async () => {
  for (const service of open.splice(0)) await service.dispose();
});

async function start(...changes: Parameters<typeof openService>): Promise<Service> {
  const service = await openService(...changes);
  open.push(service);
  return service;
}

function packed(type: string, body: string | Uint8Array, headers: Record<string, string> = {}): RequestInit {
  const bytes = typeof body === "string" ? gzipSync(body) : body;
  return {
    body: new Uint8Array(bytes),
    headers: { "content-type": type, "content-encoding": "gzip", ...headers },
  };
}

const records = (count: number): string =>
  JSON.stringify({ records: Array.from({ length: count }, (_, number) => ({ payload: { number } })) });
const lines = (count: number): string =>
  Array.from({ length: count }, (_, number) => `{"payload":{"number":${number}}}\n`).join("");

/** The answer's headers and bytes. */
async function bytesOf(service: Service, method: string, path: string, init: RequestInit) {
  const { status, headers, body = "" } = await service.open(method, path, init);
  const pieces: Buffer[] = [];
  if (typeof body === "string") pieces.push(Buffer.from(body));
  else for await (const piece of body) pieces.push(Buffer.from(piece));
  return { status, headers, bytes: Buffer.concat(pieces) };
}

describe("a body in gzip", () => {
  test.each([
    ["JSON", mediaTypes.json, records(1_500)],
    ["lines", mediaTypes.ndjson, lines(1_500)],
  ])("is the same as one without: %s", async (_, type, text) => {
    const service = await start();
    const store = randomUUID();
    const produced = await service.call(
      "POST",
      segmentPath(store, "s", "g", "/records?encoding=json"),
      packed(type, text),
    );
    expect(produced.status).toBe(200);
    const read = await service.call("GET", segmentPath(store, "s", "g", "/entries?encoding=json&from=1500"), {});
    expect(read.json.entries).toMatchObject([{ sequence: 1_500, payload: { number: 1_499 } }]);
    expect(service.services.bodies.used).toBe(0);
  });

  test("asks as well as it writes", async () => {
    const service = await start();
    const store = randomUUID();
    await service.call("POST", segmentPath(store, "s", "g", "/records"), packed(mediaTypes.json, records(0)));
    const answer = await service.call(
      "POST",
      `/v1/stores/${store}/consume`,
      packed(mediaTypes.json, '{"offsets":{"s":""}}', { "content-encoding": "X-GZIP" }),
    );
    expect(answer).toMatchObject({ status: 200, json: { entries: [] } });
  });

  test("of another coding is refused, and the answer says which is taken", async () => {
    const service = await start();
    for (const coding of ["br", "deflate", "gzip, gzip", "zstd"]) {
      const init = packed(mediaTypes.json, records(1), { "content-encoding": coding });
      const answer = await service.call("POST", segmentPath(randomUUID(), "s", "g", "/records"), init);
      expect(answer, coding).toMatchObject({ status: 415, json: { code: "unsupported_media_type" } });
      expect(answer.headers["accept-encoding"]).toBe("gzip");
      expect(answer.text).toContain('"acceptedEncodings":["gzip"]');
    }
  });

  test("that unpacks to more than is taken is refused, and no more of it is held than that", async () => {
    const bodies = new Budget("bodies", 8 * MiB);
    let most = 0;
    const count = bodies.count.bind(bodies);
    bodies.count = (caller, amount) => {
      count(caller, amount);
      most = Math.max(most, bodies.used);
    };
    const service = await start({ bodies });
    const store = randomUUID();
    // A quarter of a gigabyte of blanks, in a quarter of a megabyte.
    const bomb = packed(mediaTypes.json, gzipSync(Buffer.alloc(256 * MiB, " ")));
    for (const path of [segmentPath(store, "s", "g", "/records"), `/v1/stores/${store}/consume`]) {
      const answer = await service.call("POST", path, bomb);
      expect(answer, path).toMatchObject({ status: 413, json: { code: "request_too_large" } });
    }
    const answer = await service.call("POST", segmentPath(store, "s", "g", "/records"), {
      ...bomb,
      headers: { "content-type": mediaTypes.ndjson, "content-encoding": "gzip" },
    });
    expect(answer.status).toBe(413);
    expect(most).toBeLessThanOrEqual(8 * MiB);
    expect(bodies.used).toBe(0);
  });

  test.each([
    ["cut short", (whole: Buffer) => whole.subarray(0, whole.byteLength - 12)],
    [
      "changed on its way",
      (whole: Buffer) => Buffer.concat([whole.subarray(0, 40), Buffer.alloc(60), whole.subarray(100)]),
    ],
    ["no gzip at all", () => Buffer.from(records(10))],
  ])("that is %s is refused, and nothing of it is written", async (_, change) => {
    const service = await start();
    const store = randomUUID();
    const path = segmentPath(store, "s", "g", "/records");
    const answer = await service.call("POST", path, packed(mediaTypes.json, change(gzipSync(records(1_500)))));
    expect(answer).toMatchObject({ status: 400, json: { code: "invalid_argument" } });
    expect(answer.text).toContain("all of a gzip stream, as Content-Encoding says");
    expect((await service.call("GET", segmentPath(store, "s", "g", ""), {})).text).toContain('"lastSequence":0');
  });

  test("of lines that is cut short says what was committed before", async () => {
    const service = await start();
    const whole = gzipSync(lines(5_000));
    const init = packed(mediaTypes.ndjson, whole.subarray(0, whole.byteLength - 12), { accept: mediaTypes.ndjson });
    const answer = await service.call("POST", segmentPath(randomUUID(), "s", "g", "/records?encoding=json"), init);
    expect(answer.lines.length).toBeGreaterThan(1);
    expect(answer.lines.at(-1)).toMatchObject({ code: "invalid_argument", effect: "partial" });
  });
});

describe("an answer", () => {
  const path = async (service: Service, count: number, bytes = 100): Promise<string> => {
    const store = randomUUID();
    const payloads = Array.from({ length: count }, () => ({ payload: randomBytes(bytes / 2).toString("hex") }));
    const body = JSON.stringify({ records: payloads });
    const init = { body, headers: { "content-type": mediaTypes.json } };
    await service.call("POST", segmentPath(store, "s", "g", "/records?encoding=text"), init);
    return segmentPath(store, "s", "g", "/entries?encoding=text");
  };
  const gzip = { "accept-encoding": "gzip, deflate, br" };

  test.each([mediaTypes.json, mediaTypes.ndjson])("is packed when asked for: %s", async (accept) => {
    const service = await start();
    const entries = await path(service, 900);
    const plain = await bytesOf(service, "GET", entries, { headers: { accept } });
    const answer = await bytesOf(service, "GET", entries, { headers: { accept, ...gzip } });
    expect(plain.headers).toMatchObject({ vary: "Accept-Encoding" });
    expect(plain.headers).not.toHaveProperty("content-encoding");
    expect(answer.headers).toMatchObject({
      vary: "Accept-Encoding",
      "content-encoding": "gzip",
      "content-type": accept,
    });
    expect(gunzipSync(answer.bytes).equals(plain.bytes)).toBe(true);
    expect(answer.bytes.byteLength).toBeLessThan(plain.bytes.byteLength / 2);
    expect([service.services.bodies.used, service.services.streams.used]).toEqual([0, 0]);
  });

  test("that is small is not: it would cost more than it saves", async () => {
    const service = await start();
    const answer = await bytesOf(service, "GET", await path(service, 2), { headers: gzip });
    expect(answer.headers).not.toHaveProperty("content-encoding");
  });

  test("of events is not: each is to arrive when it comes", async () => {
    const service = await start();
    const events = { headers: { accept: mediaTypes.events, ...gzip } };
    const answer = await bytesOf(service, "GET", `${await path(service, 50)}&limit=50`, events);
    expect(answer.headers).not.toHaveProperty("content-encoding");
    expect(answer.bytes.toString()).toContain("event: end");
  });

  test("is packed for those who like it no less than none", () => {
    const wanted = ["gzip", "GZIP;q=0.5", "x-gzip", "*", "br, gzip;q=0.1", "identity;q=0.5, gzip"];
    const refused = [
      null,
      "",
      "identity",
      "br",
      "gzip;q=0",
      "gzip;q=0, *",
      "*;q=0",
      "identity, gzip;q=0.5",
      "gzip;q=x",
    ];
    expect(wanted.map((accepted) => [accepted, wantsGzip(accepted)])).toEqual(wanted.map((one) => [one, true]));
    expect(refused.map((accepted) => [accepted, wantsGzip(accepted)])).toEqual(refused.map((one) => [one, false]));
  });

  test("that its caller leaves gives back what it holds", async () => {
    const service = await start();
    const entries = await path(service, 900, 4_000);
    const headers = { accept: mediaTypes.ndjson, ...gzip };
    const { body } = await service.open("GET", entries, { headers }, unseenConnection());
    const pieces = (body as AsyncGenerator<Uint8Array>)[Symbol.asyncIterator]();
    expect((await pieces.next()).done).toBe(false);
    expect(service.services.streams.used).toBe(1);
    await pieces.return(undefined);
    await expect.poll(() => service.services.streams.used).toBe(0);
  });
});

// HTTP in the local host: a compiled app with HTTP streaming on, and one with it off.

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { request as openRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { buffer, text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Seen } from "./fixture-apps/streaming/functions/seen.ts";
import { installFixture, noTriggers, send } from "./fixtures.ts";
import { type RunningApp, startApp, until } from "./harness.ts";

const mebibyte = Buffer.alloc(1024 * 1024);

const keys = {
  master: "master-key",
  host: { default: "host-key" },
  functions: { guarded: { default: "own-key" }, other: { default: "other-key" } },
};

describe("an app with HTTP streaming", () => {
  let app: RunningApp;
  let appRoot: string;
  beforeAll(async () => {
    appRoot = await installFixture("streaming", "http");
    app = await startApp({ appRoot, env: { ...noTriggers, FROM_BOTH: "environment" } });
  });
  afterAll(() => app.stop());

  const get = (path: string, init?: RequestInit): Promise<Response> => fetch(app.url + path, init);
  const state = async (): Promise<Seen> => (await get("/state")).json() as Promise<Seen>;

  test("a function is handed the path encoded once more, and its parameter decoded but for %2F", async () => {
    const answer = await send(app.url, "/echo/a%2Fb%20c%27%C3%A9%25/tail?q=%2F", {});
    expect(JSON.parse(await text(answer))).toMatchObject({
      url: `${app.url}/echo/a%252Fb%20c'%C3%A9%25/tail?q=%2F`,
      params: { rest: "a%2Fb c'é%/tail" },
      query: { q: "/" },
    });
  });

  test("method, headers and body reach the function; status, headers and body come back", async () => {
    const answer = await get("/ECHO/x?k=query", {
      method: "PUT",
      headers: { "content-type": "application/json", "x-sent": "1" },
      body: '{"k":"body","other":"body"}',
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("x-answer")).toBe("yes");
    expect(await answer.json()).toMatchObject({
      method: "PUT",
      body: '{"k":"body","other":"body"}',
      headers: { "x-sent": "1" },
      // The host mixes them, so the local host does.
      params: { rest: "x", k: "query", other: "body" },
    });
  });

  test("of the functions that fit, the first by name answers, whatever their case and literals", async () => {
    expect(await (await get("/things/special")).text()).toBe("b-parameter");
    expect(await (await get("/THINGS/1/", { method: "PUT" })).text()).toBe("c-put");
  });

  test.for([
    ["a path that no function has", "GET", "/nowhere"],
    ["a method that the route's functions do not have", "DELETE", "/things/1"],
    ["a function in error, for its reserved route", "GET", "/admin/things"],
  ])("%s is 404", async ([, method, path]) => {
    expect((await get(path!, { method: method! })).status).toBe(404);
  });

  test("functions in error are named with the reason", () => {
    expect(app.logs()).toContain("The function d-same is in error and does not run. Its route is that of b-parameter");
    expect(app.logs()).toContain("The function reserved is in error and does not run. The route");
    expect(app.logs()).toContain("The function no-setting is in error and does not run. The setting NOWHERE");
  });

  test("settings come from the file, and the environment wins", async () => {
    expect((await state()).settings).toEqual({ fromFile: "file", fromBoth: "environment" });
  });

  test("hooks run around an invocation", async () => {
    const before = (await state()).hooks;
    expect((await state()).hooks).toBe(before + 1);
  });

  test("a streamed answer arrives while it is produced", async () => {
    const answer = await send(app.url, "/ticks", {});
    const arrivals: number[] = [];
    answer.on("data", () => arrivals.push(performance.now()));
    await once(answer, "end");
    expect(arrivals).toHaveLength(5);
    expect(arrivals.at(-1)! - arrivals[0]!).toBeGreaterThan(400);
  });

  test("a client that does not read stops the production, and one that leaves ends it", async () => {
    const answer = await send(app.url, "/flood", {});
    await sleep(500);
    const { produced, closed } = (await state()).flood;
    expect(closed).toBe(false);
    expect(produced).toBeLessThan(32 * 1024 * 1024);
    await sleep(300);
    expect((await state()).flood.produced).toBe(produced);
    answer.destroy();
    await until("the function's answer is closed", async () => (await state()).flood.closed);
  });

  test("a chunked body reaches the function while it is sent; one with a length only when it is whole", async () => {
    const before = (await state()).upload.bytes;
    const chunked = send(app.url, "/upload", {
      method: "POST",
      body: (request) => {
        request.write("first");
        void until("the first chunk is there", async () => (await state()).upload.bytes === before + 5).then(() =>
          request.end("second"),
        );
      },
    });
    expect(await text(await chunked)).toBe("received");

    const { begun } = (await state()).upload;
    let begunWhileSending = begun;
    const whole = send(app.url, "/upload", {
      method: "POST",
      headers: { "content-length": "10" },
      body: (request) => {
        request.write("first");
        void sleep(300).then(async () => {
          begunWhileSending = (await state()).upload.begun;
          request.end("other");
        });
      },
    });
    expect(await text(await whole)).toBe("received");
    expect(begunWhileSending).toBe(begun);
    expect((await state()).upload).toEqual({ begun: begun + 1, bytes: before + 11 + 10 });
  });

  test("an upload that is cut ends the function's reading", async () => {
    const { begun } = (await state()).upload;
    const { hostname, port } = new URL(app.url);
    const request = openRequest({ hostname, port, path: "/upload", method: "POST", agent: false });
    request.on("error", () => undefined);
    request.write("part");
    await until("the function reads", async () => (await state()).upload.begun === begun + 1);
    request.destroy();
    await until("the function failed", () => app.logs().includes("'Functions.upload' (failed"));
  });

  test.for([{ "content-length": String(20 * mebibyte.byteLength) }, {}])(
    "an answer that comes before 20 MiB were sent gets through (%o)",
    async (headers) => {
      // What is lost is lost now and then.
      for (let attempt = 0; attempt < 6; attempt += 1) {
        const answer = await send(app.url, "/early", {
          method: "POST",
          headers,
          body: (request) => {
            for (let chunk = 0; chunk < 20; chunk += 1) request.write(mebibyte);
            request.end();
          },
        });
        expect(answer.statusCode).toBe(403);
        expect(await text(answer)).toBe("no");
      }
    },
  );

  test("of an answer nothing arrives before the upload has ended", async () => {
    let answered = false;
    const answer = send(app.url, "/echoes", {
      method: "POST",
      body: (request) => {
        request.write("first");
        void until("the first chunk is there", async () => (await state()).echoed > 0)
          .then(() => sleep(300))
          .then(() => {
            expect(answered).toBe(false);
            request.end("last");
          });
      },
    });
    void answer.then(() => (answered = true));
    expect(await text(await answer)).toBe("firstlast");
  });

  test("a client that leaves a stream is a failed invocation in the log", async () => {
    const answer = await send(app.url, "/ticks", {});
    await once(answer, "data");
    answer.destroy();
    await until("the line", () => /'Functions\.ticks' \(failed, id=\S+\): ResponseBodyCanceled/.test(app.logs()));
  });

  test("an id of the client's own in the header of invocations keeps the function from its request", async () => {
    const { begun } = (await state()).upload;
    const request = openRequest(`${app.url}/upload`, {
      method: "POST",
      agent: false,
      headers: { "x-ms-invocation-id": randomUUID() },
    });
    request.on("error", () => undefined).end("never");
    await sleep(300);
    expect((await state()).upload.begun).toBe(begun);
    request.destroy();
  });

  test("a declared body over 100 MB is an empty 500 before it is sent", async () => {
    const answer = await send(app.url, "/upload", {
      method: "POST",
      headers: { "content-length": String(104_857_601) },
      body: (request) => {
        request.on("error", () => undefined);
        request.write("begin");
      },
    });
    expect(answer.statusCode).toBe(500);
    answer.destroy();
  });

  test("a chunked body is an empty 500 when it goes over 100 MB", async () => {
    const answer = await send(app.url, "/upload", {
      method: "POST",
      body: (request) => {
        request.on("error", () => undefined);
        for (let chunk = 0; chunk < 101; chunk += 1) request.write(mebibyte);
        request.end();
      },
    });
    expect(answer.statusCode).toBe(500);
    answer.destroy();
  });

  test.for([
    ["throws", "The function threw: on Azure"],
    ["nothing", "The function returned nothing: on Azure"],
  ])("where Azure would leave the client hanging (%s) it is 500, and the log says so", async ([path, said]) => {
    const answer = await get(`/${path!}`);
    expect(answer.status).toBe(500);
    expect(await answer.text()).toBe("");
    expect(app.logs()).toContain(said);
  });

  test("an answer that fails in its middle is cut, and the log says so", async () => {
    await expect(buffer(await send(app.url, "/breaks", {}))).rejects.toThrow("aborted");
    expect(app.logs()).toContain("The body of the answer failed in its middle: on Azure");
  });

  test("an answer that the app cuts itself is cut, and nothing is said", async () => {
    await expect(buffer(await send(app.url, "/cut", {}))).rejects.toThrow("aborted");
    await sleep(400);
    expect(app.logs()).not.toMatch(/Function\.cut: .* on Azure/);
  });

  test("an invocation beyond functionTimeout is warned of", async () => {
    expect(await (await get("/long")).text()).toBe("done");
    expect(app.logs()).toMatch(/Function\.long: .* longer than functionTimeout \(2 s\)/);
  });

  test("/admin tells the status and the functions", async () => {
    expect(await (await get("/admin/host/status")).json()).toMatchObject({ state: "Running" });
    const functions = (await (await get("/admin/functions")).json()) as { name: string }[];
    expect(functions.map(({ name }) => name)).toContain("echo");
    expect(functions.map(({ name }) => name)).not.toContain("reserved");
  });

  test("keys are asked for when there are some", async () => {
    const guarded = await startApp({ appRoot, env: { ...noTriggers, STREAMKIT_LOCAL_KEYS: JSON.stringify(keys) } });
    try {
      const status = async (path: string, key?: string): Promise<number> =>
        (await fetch(guarded.url + path, key === undefined ? {} : { headers: { "x-functions-key": key } })).status;
      expect(await status("/state")).toBe(200);
      expect(await status("/guarded")).toBe(401);
      expect(await status("/guarded", "other-key")).toBe(401);
      for (const key of ["own-key", "host-key", "master-key"]) expect(await status("/guarded", key)).toBe(200);
      expect(await status("/guarded?code=own-key")).toBe(200);
      expect(await status("/guarded?CODE=own-key")).toBe(200);
      expect(await status("/guarded?code=own-key", "wrong")).toBe(401);
      expect(await status("/inner", "host-key")).toBe(401);
      expect(await status("/inner", "master-key")).toBe(200);
      expect(await status("/admin/host/status")).toBe(401);
      expect(await status("/admin/host/status", "master-key")).toBe(200);
      expect(guarded.logs()).not.toContain("STREAMKIT_LOCAL_KEYS");
    } finally {
      await guarded.stop();
    }
  });

  test("where it is kinder than Azure, the log says so once", () => {
    const said = [...app.logs().matchAll(/(\S+) +Host\.Startup: (Functions that ask|Timers run)/g)];
    expect(said.map(([, level, what]) => [level, what])).toEqual([
      ["warn", "Functions that ask"],
      ["info", "Timers run"],
    ]);
  });

  test("an error that nothing catches ends the process", async () => {
    const doomed = await startApp({ appRoot, env: noTriggers });
    // Whether its answer is out by then is chance.
    await fetch(`${doomed.url}/crash`).catch(() => undefined);
    expect(await doomed.exited).toBe(1);
    expect(doomed.logs()).toContain("crashed by the fixture");
  });

  test.for(["SIGINT", "SIGTERM"] as const)("%s lets what runs end, then the app, with 0", async (signal) => {
    const ending = await startApp({ appRoot, env: noTriggers });
    const answer = await send(ending.url, "/ticks", {});
    const rest = text(answer);
    await ending.stop(signal);
    expect(await ending.exited).toBe(0);
    expect(await rest).toBe("0\n1\n2\n3\n4\n");
    expect(ending.logs()).toContain("The app has put its things in order.");
  });

  test("an endless answer does not hold up the end", async () => {
    const ending = await startApp({ appRoot, env: noTriggers });
    const answer = await send(ending.url, "/flood", {});
    answer.on("error", () => undefined);
    await ending.stop();
    expect(await ending.exited).toBe(0);
    expect(ending.logs()).toContain("Ended while 1 invocations were still running");
  });
});

describe("an app without HTTP streaming", () => {
  let app: RunningApp;
  beforeAll(async () => {
    app = await startApp({ appRoot: await installFixture("buffered", "http") });
  });
  afterAll(() => app.stop());

  test("requests and answers go by value, under the default prefix", async () => {
    const answer = await fetch(`${app.url}/api/echo/a%20b?q=1`, {
      method: "POST",
      body: "hello",
      headers: { "x-a": "b" },
    });
    expect(answer.status).toBe(201);
    expect(answer.headers.get("x-answer")).toBe("yes");
    expect(answer.headers.getSetCookie()).toEqual(["c=a%20b; Path=/; HttpOnly; SameSite=Lax"]);
    expect(await answer.json()).toEqual({
      ...{ url: `${app.url}/api/echo/a%20b?q=1`, params: { name: "a b" }, body: "hello", header: "b" },
    });
  });

  test("a chunked body is read whole", async () => {
    const answer = await send(app.url, "/api/echo/x", {
      method: "POST",
      body: (request) => {
        request.write("one ");
        request.end("two");
      },
    });
    expect(JSON.parse(await text(answer))).toMatchObject({ body: "one two" });
  });

  test("an error is 500 without a body, and nothing is 204", async () => {
    const failed = await fetch(`${app.url}/api/throws`);
    expect([failed.status, await failed.text()]).toEqual([500, ""]);
    expect((await fetch(`${app.url}/api/nothing`)).status).toBe(204);
  });
});

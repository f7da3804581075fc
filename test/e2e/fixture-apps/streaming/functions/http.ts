// HTTP functions that show what the local host hands over and what becomes of their answers.

import { subscribe } from "node:diagnostics_channel";
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { app, type HttpRequest, type HttpResponseInit } from "@azure/functions";
import { seen } from "./seen.ts";

app.setup({ enableHttpStream: true });

app.hook.preInvocation(() => void (seen.hooks += 1));
app.hook.appTerminate(() => console.log("The app has put its things in order."));

// How an app can tell that its client left, or does not read: by the answer of the library's own server.
const answers = new Map<string, ServerResponse>();
subscribe("http.server.request.start", (message) => {
  const { request, response } = message as { request: IncomingMessage; response: ServerResponse };
  const id = request.headers["x-ms-invocation-id"];
  if (typeof id === "string") answers.set(id, response);
});

async function describe(request: HttpRequest): Promise<HttpResponseInit> {
  const { url, method, params, headers, query } = request;
  const body = await request.text();
  return {
    headers: { "x-answer": "yes" },
    jsonBody: { url, method, params, headers: Object.fromEntries(headers), query: Object.fromEntries(query), body },
  };
}

app.http("echo", { route: "echo/{*rest}", methods: ["GET", "POST", "PUT"], handler: describe });
app.http("state", { route: "state", methods: ["GET"], handler: () => ({ jsonBody: seen }) });

// In the order of their names, which is not that of literals before parameters.
app.http("b-parameter", { route: "things/{id}", methods: ["GET"], handler: () => ({ body: "b-parameter" }) });
app.http("c-literal", { route: "things/special", methods: ["GET"], handler: () => ({ body: "c-literal" }) });
app.http("c-put", { route: "things/{id}", methods: ["PUT"], handler: () => ({ body: "c-put" }) });
app.http("d-same", { route: "Things/{id}", methods: ["GET"], handler: () => ({ body: "d-same" }) });
app.http("reserved", { route: "admin/things", methods: ["GET"], handler: () => ({ body: "reserved" }) });

app.http("guarded", { methods: ["GET"], authLevel: "function", handler: () => ({ body: "open" }) });
app.http("inner", { methods: ["GET"], authLevel: "admin", handler: () => ({ body: "open" }) });

app.http("ticks", {
  methods: ["GET"],
  handler: () => ({
    body: (async function* () {
      for (let tick = 0; tick < 5; tick += 1) {
        yield Buffer.from(`${tick}\n`);
        await sleep(150);
      }
    })(),
  }),
});

app.http("flood", {
  methods: ["GET"],
  handler: (_request, context) => {
    const answer = answers.get(context.invocationId)!;
    const closed = new Promise<void>((resolve) => answer.once("close", resolve));
    void closed.then(() => (seen.flood.closed = true));
    const chunk = Buffer.alloc(64 * 1024, "x");
    return {
      body: (async function* () {
        while (!answer.destroyed) {
          if (answer.writableNeedDrain) {
            await Promise.race([closed, new Promise((resolve) => answer.once("drain", resolve))]);
            continue;
          }
          seen.flood.produced += chunk.byteLength;
          yield chunk;
        }
      })(),
    };
  },
});

app.http("upload", {
  methods: ["POST"],
  handler: async (request) => {
    seen.upload.begun += 1;
    for await (const chunk of request.body ?? []) seen.upload.bytes += (chunk as Uint8Array).byteLength;
    return { body: "received" };
  },
});

// Answers with what it reads, as it reads it.
app.http("echoes", {
  methods: ["POST"],
  handler: (request) => ({
    body: (async function* () {
      for await (const chunk of request.body ?? []) {
        seen.echoed += (chunk as Uint8Array).byteLength;
        yield chunk as Uint8Array;
      }
    })(),
  }),
});

app.http("early", { methods: ["POST"], handler: () => ({ status: 403, body: "no" }) });

app.http("throws", {
  methods: ["GET"],
  handler: () => {
    throw new Error("thrown by the fixture");
  },
});
app.http("nothing", { methods: ["GET"], handler: () => undefined as unknown as HttpResponseInit });
app.http("breaks", {
  methods: ["GET"],
  handler: () => ({
    body: (async function* () {
      yield Buffer.from("begun");
      await sleep(100);
      throw new Error("broken by the fixture");
    })(),
  }),
});
app.http("cut", {
  methods: ["GET"],
  handler: (_request, context) => ({
    body: (async function* () {
      yield Buffer.from("begun");
      await sleep(100);
      answers.get(context.invocationId)!.destroy();
    })(),
  }),
});
app.http("long", {
  methods: ["GET"],
  handler: async () => {
    await sleep(2500);
    return { body: "done" };
  },
});
app.http("crash", {
  methods: ["GET"],
  handler: () => {
    setTimeout(() => {
      throw new Error("crashed by the fixture");
    }, 50);
    return { body: "soon" };
  },
});

// Webhooks, sent to servers on this machine: what arrives, how it is signed, what counts as delivered, and where
// nothing is sent.

import { createServer } from "node:http";
import type { IncomingHttpHeaders, RequestListener, Server } from "node:http";
import { createServer as createRawServer } from "node:net";
import type { AddressInfo } from "node:net";

import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, test } from "vitest";

import { createAddressPolicy } from "../../../src/notify/addresses.ts";
import type { AddressPolicy } from "../../../src/notify/addresses.ts";
import { createWebhookSender, headersOf } from "../../../src/notify/webhook.ts";
import type { Delivery, Lookup } from "../../../src/notify/webhook.ts";
import { ServiceClock } from "../../../src/core/clock.ts";
import { systemClock } from "../../system.ts";

const secretOf = (byte: number): string => `whsec_${Buffer.alloc(32, byte).toString("base64")}`;
const message = {
  id: "msg_1",
  body: '{"version":1,"text":"grüße 😀"}',
  secret: { current: secretOf(1), former: undefined },
};
const thisMachine = createAddressPolicy({ loopback: true, networks: [] });
const internet = createAddressPolicy({ loopback: false, networks: [] });

const clocks = { clock: systemClock, serviceClock: new ServiceClock(systemClock) };

const servers: { close(): unknown }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    if ("closeAllConnections" in server) (server as Server).closeAllConnections();
    server.close();
  }
});

async function listen(answer: RequestListener): Promise<URL> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?a=b`);
}

function send(url: URL, addresses: AddressPolicy = thisMachine, lookup?: Lookup, timeoutMs = 2_000): Promise<Delivery> {
  const found = lookup === undefined ? {} : { lookup };
  return createWebhookSender({ ...clocks, addresses, timeoutMs, ...found }).send(url, message);
}

/** Names resolve to these, look-up by look-up. */
function resolving(...answers: readonly (readonly string[])[]): Lookup {
  let count = 0;
  return (_hostname, _options, callback) => {
    const addresses = answers[Math.min(count, answers.length - 1)]!;
    count += 1;
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );
  };
}

describe("a message", () => {
  test("arrives byte for byte, with headers that a receiver verifies it by", async () => {
    const received: {
      headers: IncomingHttpHeaders;
      method: string | undefined;
      url: string | undefined;
      body: string;
    }[] = [];
    const url = await listen((request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        const { headers, method, url: path } = request;
        received.push({ headers, method, url: path, body: Buffer.concat(parts).toString() });
        response.writeHead(202).end("thanks");
      });
    });
    expect(await send(url)).toEqual({ kind: "delivered" });
    const { body, headers, method, url: path } = received[0]!;
    expect([method, path, body]).toEqual(["POST", "/hook?a=b", message.body]);
    expect(headers["webhook-id"]).toBe("msg_1");
    const verifier = new Webhook(message.secret.current);
    expect(verifier.verify(body, headers as Record<string, string>)).toEqual(JSON.parse(message.body));
    expect(() => verifier.verify(`${body} `, headers as Record<string, string>)).toThrow("No matching signature");
  });

  test("is signed with a former secret as well, until its time is over", () => {
    const now = Date.now();
    const [current, former] = [secretOf(1), secretOf(2)];
    const secret = { current, former: { secret: former, until: now + 1 } };
    const during = headersOf({ ...message, secret }, now);
    for (const one of [current, former]) {
      expect(new Webhook(one).verify(message.body, during)).toBeDefined();
    }
    const after = headersOf({ ...message, secret }, now + 1);
    expect(new Webhook(current).verify(message.body, after)).toBeDefined();
    expect(() => new Webhook(former).verify(message.body, after)).toThrow();
  });

  test("has the signature of the scheme's own example", () => {
    const secret = { current: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", former: undefined };
    const headers = headersOf(
      { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", body: '{"test": 2432232314}', secret },
      1_614_265_330_000,
    );
    expect(headers).toMatchObject({
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    });
  });
});

/** One sentence, whatever the network said: only the log learns that. */
const unanswered = (cause: string): Delivery => ({
  kind: "failed",
  reason: "It could not be reached, or did not answer in time.",
  cause,
});

test("is signed with the storage's time, however wrong the machine's is", async () => {
  const stamps: unknown[] = [];
  const url = await listen((request, response) => {
    stamps.push(request.headers["webhook-timestamp"]);
    response.end();
  });
  const storageNow = Date.UTC(2031, 4, 5, 6, 7, 8);
  const serviceClock = new ServiceClock(systemClock);
  serviceClock.learn(storageNow);
  const sender = createWebhookSender({
    ...{ clock: systemClock, serviceClock, addresses: thisMachine, timeoutMs: 2_000 },
  });
  expect(await sender.send(url, message)).toEqual({ kind: "delivered" });
  expect(Math.abs(Number(stamps[0]) - storageNow / 1_000)).toBeLessThan(3);
});

test("a receiver that says 410 is gone, one that says when to come back is heard", async () => {
  const answers: readonly [number, string | undefined, Delivery][] = [
    [410, "60", { kind: "gone", reason: "It answered 410." }],
    [429, "60", { kind: "failed", reason: "It answered 429.", retryAfterMs: 60_000 }],
    [503, "0", { kind: "failed", reason: "It answered 503." }],
    [503, "soon", { kind: "failed", reason: "It answered 503." }],
    [503, "Thu, 01 Jan 1970 00:00:00 GMT", { kind: "failed", reason: "It answered 503." }],
  ];
  for (const [status, retryAfter, delivery] of answers) {
    const url = await listen((_, response) => response.writeHead(status, { "retry-after": retryAfter }).end());
    expect(await send(url)).toEqual(delivery);
  }
  const at = new Date(Date.now() + 3_600_000).toUTCString();
  const url = await listen((_, response) => response.writeHead(503, { "retry-after": at }).end());
  const delivery = await send(url);
  const ms = delivery.kind === "failed" ? (delivery.retryAfterMs ?? 0) : 0;
  expect(ms).toBeGreaterThan(3_500_000);
  expect(ms).toBeLessThanOrEqual(3_600_000);
});

describe("is not delivered", () => {
  test.each([199 + 101, 301, 302, 307, 308, 400, 401, 404, 429, 500, 503])("when it is answered %i", async (status) => {
    let followed = false;
    const elsewhere = await listen((_, response) => {
      followed = true;
      response.end();
    });
    const url = await listen((_, response) => response.writeHead(status, { location: elsewhere.href }).end());
    expect(await send(url)).toEqual({ kind: "failed", reason: `It answered ${status}.` });
    expect(followed).toBe(false);
  });

  test("when there is no answer in time", async () => {
    const url = await listen(() => undefined);
    const startedAt = performance.now();
    expect(await send(url, thisMachine, undefined, 200)).toEqual(unanswered("no answer within 200 ms"));
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  test("when the head of the answer never ends", async () => {
    const server = createRawServer((socket) => {
      socket.on("error", () => undefined);
      socket.write("HTTP/1.1 200 OK\r\n");
      const timer = setInterval(() => socket.write("x: y\r\n"), 20);
      socket.on("close", () => clearInterval(timer));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    expect(await send(url, thisMachine, undefined, 300)).toEqual(unanswered("no answer within 300 ms"));
  });

  test("when nobody listens, or there is no such name", async () => {
    const url = await listen(() => undefined);
    servers.splice(0).forEach((server) => server.close());
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await send(url)).toEqual(unanswered("ECONNREFUSED"));
    const missing: Lookup = (_, __, callback) =>
      callback(Object.assign(new Error("no such name"), { code: "ENOTFOUND" }), []);
    expect(await send(new URL("https://nowhere.test/"), internet, missing)).toEqual(unanswered("ENOTFOUND"));
  });
});

test("an answer without an end is delivered when its head says so", async () => {
  const url = await listen((_, response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write("x".repeat(10_000)), 5);
    response.on("close", () => clearInterval(timer));
  });
  expect(await send(url)).toEqual({ kind: "delivered" });
});

describe("nothing is sent", () => {
  async function quiet(): Promise<{ readonly port: string; readonly connections: () => number }> {
    let connections = 0;
    const url = await listen(() => undefined);
    (servers.at(-1) as Server).on("connection", () => (connections += 1));
    return { port: url.port, connections: () => connections };
  }

  test("to a name that resolves to an address inside, whatever else it resolves to before or after", async () => {
    const { port, connections } = await quiet();
    for (const address of ["127.0.0.1", "::1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1"]) {
      const delivery = await send(new URL(`https://innocent.test:${port}/`), internet, resolving([address]));
      expect(delivery).toEqual(unanswered(`the address ${address} is not one that this deployment may reach`));
    }
    expect(connections()).toBe(0);
  });

  test("to the address inside among those that a name has", async () => {
    const { port, connections } = await quiet();
    // The other is one that nothing answers at.
    const delivery = await send(
      new URL(`https://innocent.test:${port}/`),
      { ...internet, allows: (address) => address !== "127.0.0.1" },
      resolving(["127.0.0.1", "192.0.2.1"]),
      300,
    );
    expect(delivery.kind).toBe("failed");
    expect(connections()).toBe(0);
  });

  test("to a name that was outside at first: each connection looks it up for itself", async () => {
    const { port, connections } = await quiet();
    const lookup = resolving(["127.0.0.1"], ["127.0.0.1"]);
    let outside = true;
    const changing: AddressPolicy = { takes: () => true, allows: () => outside };
    const sender = createWebhookSender({ ...clocks, addresses: changing, timeoutMs: 300, lookup });
    const url = new URL(`http://rebinding.test:${port}/`);
    await sender.send(url, message);
    expect(connections()).toBe(1);
    outside = false;
    expect(await sender.send(url, message)).toMatchObject({ kind: "failed", cause: /not one that this deployment/ });
    expect(connections()).toBe(1);
  });

  test("to an address that is written as one", async () => {
    const { port, connections } = await quiet();
    for (const host of ["127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "[::1]"]) {
      expect(await send(new URL(`http://${host}:${port}/`), internet)).toMatchObject({ kind: "failed" });
    }
    expect(connections()).toBe(0);
  });
});

import { once } from "node:events";
import { createServer, request as openRequest } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, expect, test } from "vitest";

import { Door } from "../../../scripts/local/door.ts";

const servers: { close(): void; closeAllConnections(): void }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

/** A server that lets in whom the door does, and answers when the body has ended. */
async function serve(door: Door): Promise<(host: string, bytes?: number, sent?: number) => Promise<number>> {
  const server = createServer((request, response) => {
    const refusal = door.refusal(request, response);
    if (refusal !== undefined) response.writeHead(refusal).end();
    else request.resume().on("end", () => response.end());
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return async (host, bytes = 0, sent = bytes) => {
    const headers = { host, "content-length": bytes };
    const request = openRequest({ port, method: "POST", headers, agent: false });
    request.on("error", () => undefined);
    if (sent < bytes) request.flushHeaders();
    else request.end(Buffer.alloc(sent));
    const [response] = (await once(request, "response")) as [{ statusCode: number; resume(): void }];
    response.resume();
    return response.statusCode;
  };
}

test.each([
  ["localhost", 200],
  ["LOCALHOST:7071", 200],
  ["app.localhost:7071", 200],
  ["127.0.0.1:7071", 200],
  ["127.8.9.10", 200],
  ["[::1]:7071", 200],
  ["dev.example:7071", 200],
  ["attacker.example", 421],
  ["localhost.attacker.example", 421],
  ["127.0.0.1.attacker.example", 421],
  ["10.0.0.1", 421],
  ["[::2]", 421],
  ["127.999.1.1", 400],
  ["1.2.3.4.5", 400],
  ["a b", 400],
  ["[::1", 400],
  ["localhost:99999", 400],
  ["localhost/path", 400],
  ["user@localhost", 400],
])("of a request to %s the answer is %i", async (host, status) => {
  const send = await serve(new Door("dev.example, other.example"));
  expect(await send(host)).toBe(status);
});

test("bodies with a length are counted from their announcement until their answer has ended", async () => {
  const door = new Door("", 1_000);
  const send = await serve(door);
  void send("localhost", 700, 0).catch(() => undefined);
  await expect.poll(() => door.held).toBe(700);
  expect(await send("localhost", 400)).toBe(503);
  expect(await send("localhost", 300)).toBe(200);
  await expect.poll(() => door.held).toBe(700);
  for (const server of servers) server.closeAllConnections();
  await expect.poll(() => door.held).toBe(0);
});

// The local server, as an application's tests start it.

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { inject, expect, test } from "vitest";
import { StreamkitClient } from "streamkit-client";
import type { StoreClient } from "streamkit-client";
import { startServer } from "../src/local/start-local.ts";
import type { LocalOptions, LocalServer } from "../src/local/start-local.ts";

const start = (options: LocalOptions = {}): Promise<LocalServer> =>
  startServer(pathToFileURL(inject("localServer")), options);

const storeOf = ({ url }: LocalServer, store: string = randomUUID()): StoreClient =>
  new StreamkitClient(url).getStoreClient(store);

async function payloads(store: StoreClient): Promise<readonly unknown[]> {
  const list: unknown[] = [];
  for await (const { payload } of store.getSpaceClient("orders").read()) list.push(payload);
  return list;
}

const append = (store: StoreClient, payload: unknown) =>
  store.getSpaceClient("orders").getSegmentClient("order-1").append({ payload });

test("each server has a storage of its own, and nothing is left when it is gone", async () => {
  const store = randomUUID();
  await using first = await start();
  await using second = await start();
  await append(storeOf(first, store), "first");
  expect(await payloads(storeOf(first, store))).toEqual(["first"]);
  expect(await payloads(storeOf(second, store))).toEqual([]);
  await first.stop();
  expect(await first.ended).toBeUndefined();
  await expect(fetch(first.url)).rejects.toThrow();
  const { port } = new URL(first.url);
  await using third = await start({ port: Number(port) });
  expect(third.url).toBe(first.url);
  expect(await payloads(storeOf(third, store))).toEqual([]);
});

test("a folder keeps what was appended from one start to the next, and its segments go on", async () => {
  const folder = await mkdtemp(join(tmpdir(), "streamkit-local-"));
  const store = randomUUID();
  {
    await using server = await start({ folder });
    await append(storeOf(server, store), "before");
    const refused = await start({ folder }).catch(String);
    expect(refused).toContain(`The folder ${folder} is in use by process ${process.pid}`);
  }
  {
    await using server = await start({ folder });
    const { firstSequence } = await append(storeOf(server, store), "after");
    expect(firstSequence).toBe(2);
    expect(await payloads(storeOf(server, store))).toEqual(["before", "after"]);
  }
  await rm(folder, { recursive: true });
});

test("a port that is taken, and a folder that cannot be one, are refused with a sentence", async () => {
  await using server = await start();
  const port = Number(new URL(server.url).port);
  expect(await start({ port }).catch(String)).toMatch(new RegExp(`Port ${port} `));
  expect(await start({ folder: "/dev/null/folder" }).catch(String)).toMatch(/ENOTDIR|not a directory/);
});

test("with a key, calls without it are refused", async () => {
  await using server = await start({ key: "open sesame" });
  const store = randomUUID();
  const bare = await fetch(`${server.url}/v1/stores/${store}/spaces`);
  expect(bare.status).toBe(401);
  const client = new StreamkitClient(server.url, { key: "open sesame" });
  await append(client.getStoreClient(store), "in");
  expect(await payloads(client.getStoreClient(store))).toEqual(["in"]);
});

test("a webhook of this machine is told what was appended", async () => {
  const told = Promise.withResolvers<unknown>();
  const receiver = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (part: string) => (text += part));
    request.once("end", () => {
      response.end();
      told.resolve(JSON.parse(text));
    });
  });
  receiver.listen(0, "127.0.0.1");
  await once(receiver, "listening");
  await using server = await start();
  const store = randomUUID();
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
  const put = await fetch(`${server.url}/v1/stores/${store}/subscriptions/mine`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ space: "orders", target: { webhook: url } }),
  });
  expect(put.status, await put.text()).toBeLessThan(300);
  await append(storeOf(server, store), "news");
  expect(JSON.stringify(await told.promise)).toContain("order-1");
  receiver.close();
});

test("a live reader is served what comes, and does not keep the server from stopping", async () => {
  const server = await start();
  const store = storeOf(server);
  const ending = new AbortController();
  const follower = store.getSpaceClient("orders").follow({ abortSignal: ending.signal });
  const seen = Promise.withResolvers<unknown>();
  const reading = (async () => {
    for await (const { payload } of follower) seen.resolve(payload);
  })();
  await append(store, "live");
  expect(await seen.promise).toBe("live");
  await server.stop();
  ending.abort();
  await reading;
});

test("the log is told line by line to whoever asks for it", async () => {
  const lines: string[] = [];
  await using server = await start({ log: (line) => void lines.push(line), settings: { STREAMKIT_NO_SUCH: "1" } });
  await append(storeOf(server), "x");
  expect(lines.some((line) => line.includes("there is no such setting") && line.includes("STREAMKIT_NO_SUCH"))).toBe(
    true,
  );
});

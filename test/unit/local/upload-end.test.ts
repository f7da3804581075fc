import { once } from "node:events";
import { createServer, type IncomingMessage, request as openRequest, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { closeUnlessUploaded, uploadEnd } from "../../../scripts/local/upload-end.ts";

const pace = { windowMs: 5_000, windowBytes: 1_200, wholeMs: 60_000 };
const server = createServer();
let open: (() => void)[] = [];

beforeEach(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
});
afterEach(async () => {
  vi.useRealTimers();
  for (const close of open) close();
  open = [];
  server.closeAllConnections();
  server.close();
  await once(server, "close");
});

async function passWindow(): Promise<void> {
  await vi.advanceTimersByTimeAsync(pace.windowMs);
  await new Promise((resolve) => setImmediate(resolve));
}

interface Upload {
  readonly request: IncomingMessage;
  /** Resolves when the server has the bytes. */
  readonly send: (bytes: number) => Promise<void>;
  readonly client: ReturnType<typeof openRequest>;
}

async function upload(): Promise<Upload> {
  const { port } = server.address() as AddressInfo;
  const client = openRequest({ port, host: "127.0.0.1", method: "POST", agent: false });
  client.on("error", () => undefined);
  open.push(() => client.destroy());
  client.flushHeaders();
  const [request] = (await once(server, "request")) as [IncomingMessage];
  request.on("error", () => undefined).resume();
  const send = async (bytes: number): Promise<void> => {
    const before = request.socket.bytesRead;
    client.write(Buffer.alloc(bytes));
    await vi.waitUntil(() => request.socket.bytesRead >= before + bytes);
  };
  return { request, send, client };
}

test("an upload that ends, or is cut, is over", async () => {
  const ending = await upload();
  const ended = uploadEnd(ending.request, pace);
  ending.client.end("x");
  expect(await ended).toBe("over");
  expect(await uploadEnd(ending.request, pace)).toBe("over");

  const cut = await upload();
  const over = uploadEnd(cut.request, pace);
  cut.client.destroy();
  expect(await over).toBe("over");
});

test("one that brings less than is asked for in a window is behind", async () => {
  const { request, send } = await upload();
  let end: string | undefined;
  const wait = uploadEnd(request, pace).then((known) => (end = known));
  for (let window = 0; window < 3; window += 1) {
    await send(1_200);
    await passWindow();
    expect(end).toBeUndefined();
  }
  await send(1_000);
  await passWindow();
  expect(await wait).toBe("behind");
});

test("one that keeps the pace has so long for the whole of it", async () => {
  const { request, send } = await upload();
  let end: string | undefined;
  const wait = uploadEnd(request, pace).then((known) => (end = known));
  for (let ms = 0; ms < 60_000; ms += 5_000) {
    expect(end).toBeUndefined();
    await send(1_200);
    await passWindow();
  }
  expect(await wait).toBe("behind");
});

test("the connection of an answer whose upload falls behind is closed; of others it is kept", async () => {
  for (const ends of [true, false]) {
    const { port } = server.address() as AddressInfo;
    const client = connect(port, "127.0.0.1");
    client.on("error", () => undefined);
    open.push(() => client.destroy());
    client.write("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nbe");
    const [request, response] = (await once(server, "request")) as [IncomingMessage, ServerResponse];
    closeUnlessUploaded(response, pace);
    request.resume();
    const { socket } = request;
    const answer = once(client, "data");
    response.end("early");
    await answer;
    if (ends) {
      client.write("gin");
      await vi.waitUntil(() => request.complete);
    }
    await passWindow();
    expect(socket.destroyed).toBe(!ends);
  }
});

test("an upload that came while the process was busy counts", async () => {
  const { request, client } = await upload();
  vi.useRealTimers();
  let end: string | undefined;
  void uploadEnd(request, { ...pace, windowMs: 200 }).then((known) => (end = known));
  client.write(Buffer.alloc(100_000));
  const until = performance.now() + 300;
  while (performance.now() < until);
  // The watch, what has come, and the look at it.
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(end).toBeUndefined();
});

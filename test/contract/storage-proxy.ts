// Between an app and the emulator's tables: sees every request, and may keep it from arriving, or its answer from
// coming back.
//
// Promise: what is let through arrives unchanged, but for the size of pages, and is answered by the emulator.

import { createServer, request } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { hexKey } from "../../src/codec/lexkey.ts";

/**
 * The service's pages hold 4 MiB, the emulator's any number of bytes: so many rows of the largest kind. And a few names
 * are several.
 */
const pageRowsMax = 5;
const partitionsOf = (table: string): string => `PartitionKey eq '${hexKey(table, "")}`;
const [entryPartitions, namePartitions] = [partitionsOf("DAT"), partitionsOf("INV")];
const logPartitions = hexKey("DAT", "SPACES", "");

/** What is seen of a request, and what becomes of it. */
export interface Watcher {
  /** Throws to fail it. */
  pageAsked(): void;
  /**
   * Called once for each commit: `send` passes it on and resolves with whether it was done. Resolves when it may be
   * answered.
   */
  commit(send: () => Promise<boolean>): Promise<void>;
}

export interface StorageProxy {
  /** The connection string of `target`, by way of the proxy. */
  readonly connectionString: string;
  close(): Promise<void>;
}

export async function openStorageProxy(connectionString: string, watcher: Watcher): Promise<StorageProxy> {
  const target = new URL(/TableEndpoint=([^;]+)/.exec(connectionString)![1]!);
  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing, target, watcher).catch((error: unknown) => {
      if (outgoing.destroyed) return;
      const body = { "odata.error": { code: "InternalError", message: { lang: "en-US", value: String(error) } } };
      outgoing.writeHead(500, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    connectionString: connectionString.replace(
      /TableEndpoint=[^;]+/,
      `TableEndpoint=http://127.0.0.1:${port}${target.pathname}`,
    ),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function handle(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  target: URL,
  watcher: Watcher,
): Promise<void> {
  const body = await bytesOf(incoming);
  const url = new URL(incoming.url!, target);
  const filter = url.searchParams.get("$filter") ?? "";
  // Pages with data, or of names: those of summaries are for the writers and the monitor, which each app runs every
  // minute.
  const hasData = url.searchParams.get("$select")?.includes(",d00") ?? true;
  const isPage = filter.startsWith(namePartitions) || (filter.startsWith(entryPartitions) && hasData);
  if (incoming.method === "GET" && isPage) {
    watcher.pageAsked();
    url.searchParams.set("$top", String(Math.min(Number(url.searchParams.get("$top") ?? "1000"), pageRowsMax)));
  }
  let answer: Answer | undefined;
  const send = async (): Promise<boolean> => {
    answer = await forward(incoming, url, body);
    // Within the answer of a batch, refusals have statuses of their own.
    return !/HTTP\/1.1 4\d\d/.test(answer.body.toString("latin1"));
  };
  if (url.pathname.endsWith("/$batch") && body.includes(logPartitions)) await watcher.commit(send);
  else await send();
  if (answer === undefined) return;
  outgoing.writeHead(answer.status, answer.headers).end(answer.body);
}

interface Answer {
  readonly status: number;
  readonly headers: string[];
  readonly body: Buffer;
}

function forward(incoming: IncomingMessage, url: URL, body: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method, headers } = incoming;
    const passed = request(url, { method, headers: { ...headers, host: url.host } }, (reply) => {
      bytesOf(reply).then(
        (bytes) => resolve({ status: reply.statusCode!, headers: endToEnd(reply.rawHeaders), body: bytes }),
        reject,
      );
    });
    passed.once("error", reject);
    passed.end(body);
  });
}

/** The length is known by then, the connection is another. */
function endToEnd(rawHeaders: readonly string[]): string[] {
  const hopByHop = new Set(["connection", "keep-alive", "transfer-encoding"]);
  return rawHeaders.filter((_, index) => !hopByHop.has(rawHeaders[index - (index % 2)]!.toLowerCase()));
}

async function bytesOf(stream: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of stream as AsyncIterable<Buffer>) pieces.push(piece);
  return Buffer.concat(pieces);
}

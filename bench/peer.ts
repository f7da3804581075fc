// Beside a peer: the reference server of the Durable Streams protocol, on local files. The same plain client sends the
// same requests of that protocol to both, in turns.
//
// The peer keeps its streams in one process and on one disk; the app commits through the emulator, in two requests
// each. So a ratio of 1 would mean that the guarantees of the storage cost nothing.

import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import type { IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { withApp } from "./app.ts";
import { eventText, smallBytes } from "./events.ts";
import type { Figure, Measure, RunSize } from "./measure.ts";
import { rate, ratesInTurns } from "./measure.ts";
import { withStorage } from "./storage.ts";

const entriesMax = 20_000;
const perRequest = 1_000;

interface Appends {
  readonly what: string;
  readonly callers: number;
  readonly messages: number;
  readonly goal: number;
}

const appends: readonly Appends[] = [
  { what: "appends of 1 message, 1 caller", callers: 1, messages: 1, goal: 0.45 },
  { what: "appends of 1 message, 32 callers", callers: 32, messages: 1, goal: 0.6 },
  { what: "appends of 100 messages, 1 caller", callers: 1, messages: 100, goal: 0.8 },
  { what: "appends of 1,000 messages, 1 caller", callers: 1, messages: 1_000, goal: 0.8 },
];

export const peer: Measure = {
  name: "peer",
  about: "Rates beside the Durable Streams reference server on local files, as shares of its rates.",
  run: (size) =>
    withPeer((theirs) =>
      withStorage((storage) =>
        withApp(storage, async ({ client }) => {
          const [ours, reference] = [new StreamsClient(client.url), new StreamsClient(theirs)];
          try {
            return await compared(ours, reference, size);
          } finally {
            ours.close();
            reference.close();
          }
        }),
      ),
    ),
};

async function compared(ours: StreamsClient, theirs: StreamsClient, size: RunSize): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { what, callers, messages, goal } of appends) {
    const name = (caller: number): string => `appends-${callers}-${messages}-${caller}`;
    const body = bodyOf(0, messages);
    const append =
      (client: StreamsClient) =>
      async (ms: number): Promise<number> =>
        messages * (await rate(callers, ms, (caller) => client.append(name(caller), body)));
    for (const client of [ours, theirs])
      for (let caller = 0; caller < callers; caller += 1) await client.create(name(caller));
    const rates = await ratesInTurns(size, { ours: append(ours), theirs: append(theirs) });
    figures.push(
      {
        what: `${what}: share of the peer's rate`,
        value: rates.ours / rates.theirs,
        unit: "",
        goal: { atLeast: goal },
      },
      { what: `${what}: messages a second`, value: rates.ours, unit: "1/s" },
      { what: `${what}: the peer's messages a second`, value: rates.theirs, unit: "1/s" },
    );
  }
  return [...figures, ...(await readingCompared(ours, theirs, size))];
}

async function readingCompared(ours: StreamsClient, theirs: StreamsClient, size: RunSize): Promise<Figure[]> {
  const entries = entriesMax / size.divisor;
  for (const client of [ours, theirs]) {
    await client.create("read");
    for (let at = 0; at < entries; at += perRequest)
      await client.append("read", bodyOf(at, Math.min(perRequest, entries - at)));
  }
  const read =
    (client: StreamsClient) =>
    async (ms: number): Promise<number> =>
      entries * (await rate(1, ms, () => client.readAll("read")));
  const rates = await ratesInTurns(size, { ours: read(ours), theirs: read(theirs) });
  const [bytes, theirBytes] = [await ours.readAll("read"), await theirs.readAll("read")];
  const count = entries.toLocaleString("en");
  return [
    {
      what: `a read of ${count}: share of the peer's rate`,
      value: rates.ours / rates.theirs,
      unit: "",
      goal: { atLeast: 1 },
    },
    { what: `a read of ${count}: bytes on the wire`, value: bytes / entries, unit: "B", goal: { atMost: 117 } },
    { what: `a read of ${count}: the peer's bytes on the wire`, value: theirBytes / entries, unit: "B" },
  ];
}

function bodyOf(from: number, messages: number): string {
  return `[${Array.from({ length: messages }, (_, index) => eventText(from + index, smallBytes)).join(",")}]`;
}

/** The protocol's requests by plain HTTP/1.1, with connections that are kept alive. */
class StreamsClient {
  readonly #agent = new Agent({ keepAlive: true });
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async create(name: string): Promise<void> {
    await this.#call("PUT", name, { "content-type": "application/json" });
  }

  async append(name: string, body: string): Promise<void> {
    await this.#call("POST", name, { "content-type": "application/json" }, body);
  }

  /** All messages from the beginning, page by page. Gives the bytes of the bodies. */
  async readAll(name: string): Promise<number> {
    let bytes = 0;
    for (let offset = "-1"; ;) {
      const answer = await this.#call("GET", `${name}?offset=${offset}`, {});
      bytes += answer.bytes;
      const { "stream-next-offset": next, "stream-up-to-date": upToDate } = answer.headers;
      if (upToDate !== undefined) return bytes;
      if (typeof next !== "string") throw new Error("The answer does not say where to go on.");
      offset = next;
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #call(
    method: string,
    rest: string,
    headers: Record<string, string>,
    body?: string,
  ): Promise<{ readonly bytes: number; readonly headers: IncomingHttpHeaders }> {
    return new Promise((resolve, reject) => {
      const url = `${this.#url}/v1/stream/${rest}`;
      const sent = request(url, { agent: this.#agent, method, headers }, (answer) => {
        let bytes = 0;
        answer.on("data", (piece: Buffer) => (bytes += piece.length));
        answer.on("error", reject);
        answer.on("end", () => {
          const { statusCode = 0 } = answer;
          if (statusCode >= 200 && statusCode < 300) resolve({ bytes, headers: answer.headers });
          else reject(new Error(`${method} ${url} was answered ${statusCode}.`));
        });
      });
      sent.on("error", reject);
      sent.end(body);
    });
  }
}

async function withPeer<T>(use: (url: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "peer-"));
  const child = fork(join(import.meta.dirname, "peer-server.ts"), [folder], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const gone = once(child, "exit");
  try {
    const told = await Promise.race([once(child, "message"), gone.then(() => undefined)]);
    if (told === undefined) throw new Error("The peer ended before it listened.");
    return await use(String(told[0]));
  } finally {
    child.kill("SIGKILL");
    await gone;
    await rm(folder, { recursive: true, force: true });
  }
}

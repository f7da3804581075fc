// Statuses as they change, over HTTP, with two instances of the app over one storage.

import { randomUUID } from "node:crypto";

import { afterAll, beforeAll, expect, test } from "vitest";

import { startApp } from "./harness.ts";
import type { RunningApp } from "./harness.ts";

let apps: readonly [RunningApp, RunningApp];
beforeAll(async () => {
  const env = { STREAMKIT_HEARTBEAT_SECONDS: "1" };
  apps = await Promise.all([startApp({ env }), startApp({ env })]);
});
afterAll(() => Promise.all(apps.map((app) => app.stop())));

interface Status {
  readonly segment: string;
  readonly firstSequence: number;
  readonly firstTimestamp: number;
  readonly lastSequence: number;
  readonly lastTimestamp: number;
}
interface Page {
  readonly statuses: readonly Status[];
  readonly next: string;
}

async function produce(app: RunningApp, store: string, segment: string, count = 1): Promise<Status> {
  const answer = await fetch(`${app.url}/v1/stores/${store}/spaces/orders/segments/${segment}/records?encoding=text`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ records: Array.from({ length: count }, () => ({ payload: "x" })) }),
  });
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { status: Status }).status;
}

async function page(app: RunningApp, store: string, query = ""): Promise<Page> {
  const answer = await fetch(`${app.url}/v1/stores/${store}/spaces/orders/status?${query}`);
  expect(answer.status).toBe(200);
  return (await answer.json()) as Page;
}

interface LiveEvent {
  readonly id?: string;
  readonly event?: string;
  readonly data?: unknown;
  readonly comment?: string;
}

/** The events of a stream, until it is left. */
async function* events(
  app: RunningApp,
  store: string,
  query: string,
  headers = {},
): AsyncGenerator<LiveEvent, void, undefined> {
  const leaving = new AbortController();
  const answer = await fetch(`${app.url}/v1/stores/${store}/spaces/orders/status?${query}`, {
    headers: { accept: "text/event-stream", ...headers },
    signal: leaving.signal,
  });
  expect(answer.headers.get("content-type")).toBe("text/event-stream");
  try {
    let text = "";
    for await (const piece of answer.body!.pipeThrough(new TextDecoderStream())) {
      text += piece;
      const blocks = text.split("\n\n");
      text = blocks.pop()!;
      for (const block of blocks) {
        const fields: Record<string, unknown> = {};
        for (const line of block.split("\n")) {
          const [, name = "", value = ""] = /^([^:]*): ?(.*)$/.exec(line)!;
          fields[name === "" ? "comment" : name] = name === "data" ? (JSON.parse(value) as unknown) : value;
        }
        yield fields;
      }
    }
  } finally {
    leaving.abort();
  }
}

/** The next event that says something. */
async function nextOf(stream: AsyncGenerator<LiveEvent, void, undefined>): Promise<LiveEvent> {
  for (;;) {
    const next = await stream.next();
    if (next.done === true) throw new Error("The stream has ended.");
    if (next.value.comment === undefined) return next.value;
  }
}

test("a page tells the segments in order, as their own statuses do, and the next what has changed since", async () => {
  const store = randomUUID();
  const b = await produce(apps[0], store, "b", 2);
  const a = await produce(apps[1], store, "a");
  const first = await page(apps[0], store);
  expect(first.statuses).toEqual([a, b]);
  expect((await page(apps[1], store, `cursor=${first.next}`)).statuses).toEqual([]);
  await produce(apps[1], store, "b");
  const again = await produce(apps[0], store, "b");
  const c = await produce(apps[1], store, "c");
  const second = await page(apps[1], store, `cursor=${first.next}&segment=*`);
  expect(second.statuses).toEqual([again, c]);
  expect(again).toMatchObject({ lastSequence: 4, firstTimestamp: b.firstTimestamp });
});

test("a page may be waited for: it comes with the change, or empty when the time is up", async () => {
  const store = randomUUID();
  const { next } = await page(apps[0], store, "segment=a");
  const startedAt = performance.now();
  const waiting = page(apps[0], store, `segment=a&wait=20&cursor=${next}`);
  await new Promise((resolve) => setTimeout(resolve, 300));
  await produce(apps[1], store, "b");
  await new Promise((resolve) => setTimeout(resolve, 300));
  const a = await produce(apps[1], store, "a");
  const changed = await waiting;
  expect(changed.statuses).toEqual([a]);
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  const empty = await page(apps[0], store, `segment=a&wait=1&cursor=${changed.next}`);
  expect(empty.statuses).toEqual([]);
});

test("a stream tells the segments there are, then each change, with a sign of life between", async () => {
  const store = randomUUID();
  const b = await produce(apps[0], store, "b");
  const a = await produce(apps[0], store, "a");
  const stream = events(apps[0], store, "segment=*");
  expect((await stream.next()).value).toMatchObject({ comment: "live" });
  expect((await nextOf(stream)).data).toEqual(a);
  expect((await nextOf(stream)).data).toEqual(b);
  expect(await nextOf(stream)).toMatchObject({ event: "live" });
  const changed = await produce(apps[1], store, "a", 3);
  const told = await nextOf(stream);
  expect(told.data).toEqual(changed);
  expect(await nextOf(stream)).toEqual({ event: "heartbeat", id: told.id, data: { next: told.id } });
  await stream.return();

  const missed = await produce(apps[0], store, "b");
  const resumed = events(apps[1], store, "", { "last-event-id": told.id });
  expect((await nextOf(resumed)).data).toEqual(missed);
  await resumed.return();
});

test("a cursor that is none is told so, and a stream cannot be waited for", async () => {
  const store = randomUUID();
  for (const [query, accept, field] of [
    ["cursor=abc", "application/json", "cursor"],
    ["cursor=s5.!", "text/event-stream", "cursor"],
    ["wait=3", "text/event-stream", "wait"],
    ["wait=31", "application/json", "wait"],
    ["segment=", "application/json", "segment"],
  ] as const) {
    const url = `${apps[0].url}/v1/stores/${store}/spaces/orders/status?${query}`;
    const answer = await fetch(url, { headers: { accept } });
    expect(await answer.json(), query).toMatchObject({ status: 400, code: "invalid_argument", field });
  }
});

// A half-open connection: it says nothing any more, and nothing says that it is broken. The clock is moved by hand.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { StreamkitClient } from "streamkit-client";
import type { SegmentClient } from "streamkit-client";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

const entry = (sequence: number): string =>
  JSON.stringify({
    ...{ sequence, timestamp: 1_000 + sequence, trx: { id: "t", node: "n", number: sequence } },
    ...{ payload: btoa(String(sequence)), space: "orders", segment: "1", offset: `offset-${sequence}` },
  });
const event = (sequence: number): string => `id: place-${sequence}\ndata: ${entry(sequence)}\n\n`;

interface Asked {
  readonly url: URL;
  readonly headers: Headers;
  /** More of the answer. */
  readonly say: (text: string) => void;
  /** The client has given the answer up. */
  readonly left: Promise<void>;
}

/** A segment whose requests are answered with these texts, none of which ends. */
function answering(...answers: readonly string[]): {
  readonly segment: SegmentClient<number>;
  readonly asked: readonly Asked[];
} {
  const asked: Asked[] = [];
  const answer: typeof fetch = (input, init) => {
    const { url, headers, signal } = new Request(input, init);
    const body = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
    const writer = body.writable.getWriter();
    const say = (text: string): void => void writer.write(new TextEncoder().encode(text)).catch(() => undefined);
    say(answers[asked.length] ?? "");
    asked.push({ url: new URL(url), headers, say, left: writer.closed.catch(() => undefined) });
    // As a real one, it ends with its signal.
    signal.addEventListener("abort", () => void writer.abort(signal.reason).catch(() => undefined));
    return Promise.resolve(new Response(body.readable));
  };
  const client = new StreamkitClient("http://127.0.0.1:1", undefined, { fetch: answer });
  return { segment: client.getStoreClient("s").getSpaceClient<number>("orders").getSegmentClient("1"), asked };
}

async function sequenceIn(next: Promise<IteratorResult<{ readonly sequence: number }, unknown>>): Promise<number> {
  const { done, value } = await next;
  return done === true ? 0 : value.sequence;
}

const justNotSilent = 34_000;
const silent = 10_000;

test("a follower on a connection that fell silent goes on from its place on another, and leaves the first", async () => {
  const { segment, asked } = answering(`${event(1)}${event(2)}`, event(3));
  await using follower = segment.follow();
  const entries = follower[Symbol.asyncIterator]();
  expect(await sequenceIn(entries.next())).toBe(1);
  expect(await sequenceIn(entries.next())).toBe(2);
  const third = entries.next();
  await vi.advanceTimersByTimeAsync(justNotSilent);
  expect(asked).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(silent);
  expect(await sequenceIn(third)).toBe(3);
  expect(asked[1]?.headers.get("last-event-id")).toBe("place-2");
  await asked[0]?.left;
  expect(asked).toHaveLength(2);
});

test("a heartbeat keeps the connection, however long nothing is written", async () => {
  const { segment, asked } = answering(event(1));
  await using follower = segment.follow();
  const entries = follower[Symbol.asyncIterator]();
  await entries.next();
  const second = entries.next();
  for (let minute = 0; minute < 10; minute += 1) {
    await vi.advanceTimersByTimeAsync(justNotSilent);
    asked[0]?.say(": \n\n");
  }
  asked[0]?.say(event(2));
  expect(await sequenceIn(second)).toBe(2);
  expect(asked).toHaveLength(1);
});

test("a read on a connection that fell silent goes on with the next entry", async () => {
  const { segment, asked } = answering(`${entry(1)}\n${entry(2)}\n`, `${entry(3)}\n{"next":4}\n`);
  const sequences = (async () => {
    const read: number[] = [];
    for await (const { sequence } of segment.read()) read.push(sequence);
    return read;
  })();
  await vi.advanceTimersByTimeAsync(justNotSilent + silent);
  expect(await sequences).toEqual([1, 2, 3]);
  expect(asked.map(({ url }) => url.searchParams.get("from"))).toEqual([null, "3"]);
});

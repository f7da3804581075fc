// The commands for consumers against the local server: how they stand, what is parked, what is asked before it is done.

import { randomUUID } from "node:crypto";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { StreamkitClient } from "streamkit-client";
import type { ConsumerClient } from "streamkit-client";
import { startServer } from "../src/local/start-local.ts";
import type { LocalServer } from "../src/local/start-local.ts";
import { command } from "./command.ts";
import type { CommandOptions, Ran } from "./command.ts";

let server: LocalServer;
beforeAll(async () => {
  server = await startServer(pathToFileURL(inject("localServer")), {});
});
afterAll(() => server.stop());

/** A consumer of three segments of one entry each. */
async function given(): Promise<{
  readonly run: (line: string, options?: CommandOptions) => Promise<Ran>;
  readonly consumer: ConsumerClient<number>;
  /** Works until enough was handled. */
  readonly workUntil: (isEnough: (seen: readonly string[]) => boolean) => Promise<readonly string[]>;
}> {
  const storeId = randomUUID();
  const store = new StreamkitClient(server.url).getStoreClient(storeId);
  const orders = store.getSpaceClient<number>("orders");
  for (const name of ["order-1", "order-2", "order-3"]) await orders.getSegmentClient(name).append({ payload: 1 });
  const consumer = store.getConsumerClient<number>("mailer");
  const rules = { partitions: 2, leaseSeconds: 1, maxDeliveries: 1, backoffSeconds: [0] };
  await consumer.put({ spaces: ["orders"], from: "start", ...rules });
  const workUntil = async (isEnough: (seen: readonly string[]) => boolean): Promise<readonly string[]> => {
    const ending = new AbortController();
    const seen: string[] = [];
    await consumer.run(
      ({ segment }) => {
        seen.push(segment);
        if (isEnough(seen)) ending.abort();
      },
      { abortSignal: ending.signal, waitInSeconds: 1 },
    );
    return seen.toSorted();
  };
  const env = { STREAMKIT_URL: server.url, STREAMKIT_STORE: storeId };
  return { consumer, workUntil, run: (line, options) => command(line.split(" "), { ...options, env }) };
}

const linesOf = (text: string): unknown[] =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);

/** Sets the entry of `order-2` aside. */
async function parkSecond(consumer: ConsumerClient<number>): Promise<void> {
  const { deliveries } = await consumer.fetch("worker");
  for (const { claim, entries } of deliveries) {
    const bad = entries.find((entry) => entry.decoded().segment === "order-2");
    const next =
      bad === undefined
        ? { claim }
        : await consumer.nack(claim, { offset: bad.offset, action: "park", reason: "No address." });
    await consumer.ack(next.claim ?? claim, { release: true });
  }
}

test("consumers are listed and shown with how far they are behind, and what is parked with its reason", async () => {
  const { consumer, run } = await given();
  await parkSecond(consumer);
  const [listed] = linesOf((await run("consumers list --json")).stdout);
  expect(listed).toMatchObject({ name: "mailer", spaces: "orders", partitions: 2, workers: 0, parked: 1 });
  expect((await run("consumers list")).stdout).toMatch(
    /^name +spaces +partitions +workers +lagSeconds +parked +paused\n/,
  );
  expect((await run("consumers show mailer")).stdout).toMatch(/\npartition +holder +lagSeconds +outstanding/);
  expect(linesOf((await run("consumers show mailer --json")).stdout)).toMatchObject([{ state: [{}, {}] }]);
  expect(linesOf((await run("parked list mailer --json")).stdout)).toMatchObject([
    { space: "orders", segment: "order-2", sequence: 1, reason: "No address." },
  ]);
  expect((await run("parked list mailer")).stdout).toContain("No address.");
  expect(await run("consumers show other")).toMatchObject({ code: 2, stderr: "There is no consumer other.\n" });
});

test("what is parked is replayed by its id, or dropped when somebody agrees", async () => {
  const { consumer, run, workUntil } = await given();
  await parkSecond(consumer);
  const [{ id = "" } = {}] = linesOf((await run("parked list mailer --json")).stdout) as { readonly id?: string }[];
  expect(linesOf((await run(`parked replay mailer ${id} --json`)).stdout)).toEqual([{ changed: 1 }]);
  expect(await workUntil((seen) => seen.includes("order-2"))).toContain("order-2");
  // Whoever holds the partition next finds that nothing of the segment is left.
  await consumer.fetch("worker");
  expect((await run("parked list mailer")).stdout).toBe("Nothing is parked.\n");
  expect(await run("parked drop mailer --all")).toMatchObject({ code: 2 });
  expect(await run("parked drop mailer --yes")).toMatchObject({ code: 2 });
  expect(linesOf((await run("parked drop mailer --all --yes --json")).stdout)).toEqual([{ changed: 0 }]);
});

test("a consumer is set back, and removed, when somebody agrees", async () => {
  const { consumer, run, workUntil } = await given();
  expect(await workUntil(({ length }) => length === 3)).toHaveLength(3);
  const refused = await run("consumers reset mailer --to start");
  expect(refused).toMatchObject({ code: 2 });
  expect(refused.stderr).toContain("0 parked are forgotten.");
  expect((await consumer.get())?.generation).toBe(1);
  expect((await run("consumers reset mailer --to 1h --yes")).code).toBe(0);
  expect(await workUntil(({ length }) => length === 3)).toHaveLength(3);
  expect((await run("consumers reset mailer --to yesterday --yes")).code).toBe(2);
  expect((await run("consumers delete mailer")).code).toBe(2);
  expect((await run("consumers delete mailer --yes")).stdout).toBe("There is no consumer mailer any more.\n");
  expect((await run("consumers list")).stdout).toBe("There is no consumer.\n");
});

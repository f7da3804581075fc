// The programs in examples/, as a user would run them.

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { StreamkitClient } from "streamkit-client";
import { MailWorkers } from "../../../examples/worker-pool.ts";
import type { Mail } from "../../../examples/worker-pool.ts";
import { ItemCounts } from "../../../examples/projection.ts";
import { orderService } from "../../../examples/order-service.ts";
import type { OrderCommand } from "../../../examples/order-service.ts";
import { startApp, until } from "../../../test/e2e/harness.ts";
import type { RunningApp } from "../../../test/e2e/harness.ts";

let app: RunningApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

/** Two instances of the service, asked in turn. */
async function services(storeId: string): Promise<{
  readonly command: (id: string, command: OrderCommand) => Promise<unknown>;
  readonly close: () => void;
}> {
  const servers = [orderService(app.url, storeId), orderService(app.url, storeId)];
  await Promise.all(servers.map((server) => once(server.listen(0, "127.0.0.1"), "listening")));
  let turn = 0;
  return {
    async command(id: string, command: OrderCommand): Promise<unknown> {
      const { port } = servers[turn++ % 2]!.address() as AddressInfo;
      const url = `http://127.0.0.1:${port}/orders/${id}`;
      const answer = await fetch(url, { method: "POST", body: JSON.stringify(command) });
      return [answer.status, await answer.json()];
    },
    close: () => servers.forEach((server) => server.close()),
  };
}

test("the order service decides on what there is, also when two instances handle one order at once", async () => {
  const { command, close } = await services(randomUUID());
  expect(await command("1", { type: "add", item: "pen", count: 1 })).toEqual([409, "The order is not open."]);
  const placed = await Promise.all([1, 2].map(() => command("1", { type: "place", customer: "ann" })));
  expect(placed.map((answer) => (answer as [number])[0]).toSorted()).toEqual([200, 409]);
  await Promise.all(Array.from({ length: 6 }, () => command("1", { type: "add", item: "pen", count: 1 })));
  expect(await command("1", { type: "ship" })).toEqual([200, { state: "shipped", items: { pen: 6 } }]);
  expect(await command("1", { type: "ship" })).toEqual([409, "There is nothing to ship."]);
  close();
});

test("the projection counts each event once, through restarts", async () => {
  const storeId = randomUUID();
  const { command, close } = await services(storeId);
  const file = join(inject("runFolder"), `projection-${storeId}.db`);
  const order = async (id: string, item: string): Promise<void> => {
    await command(id, { type: "place", customer: "ann" });
    await command(id, { type: "add", item, count: 2 });
  };
  for (const [round, item] of ["book", "pen", "book"].entries()) {
    await order(String(round), item);
    const counts = new ItemCounts(file);
    const ending = new AbortController();
    const running = counts.run(app.url, storeId, ending.signal);
    const expected = [{ book: 2 }, { book: 2, pen: 2 }, { book: 4, pen: 2 }][round];
    await until("the projection is up to date", () => JSON.stringify(counts.counts()) === JSON.stringify(expected));
    ending.abort();
    await running;
    counts.close();
  }
  close();
});

test("the workers send each mail once, share the queue, and send again what failed when they are told to", async () => {
  const storeId = randomUUID();
  const store = new StreamkitClient(app.url).getStoreClient(storeId);
  const mails = store.getSpaceClient<Mail>("mails");
  const names = Array.from({ length: 20 }, (_, at) => `customer-${at}`);
  await mails.transact(names.map((to) => ({ segment: to, records: [{ payload: { to, text: "Welcome." } }] })));
  let isOut = true;
  const sent: string[] = [];
  const send = (mail: Mail): Promise<void> => {
    if (isOut && mail.to === "customer-7") return Promise.reject(new Error("No such customer."));
    sent.push(mail.to);
    return Promise.resolve();
  };
  const pool = new MailWorkers(app.url, storeId, send);
  await pool.create({ backoffSeconds: [0], leaseSeconds: 2 });
  const ending = new AbortController();
  const working = [1, 2].map(() => pool.run(ending.signal));
  const consumer = store.getConsumerClient("mailer");
  const parked = async (): Promise<number> => (await consumer.get())?.state.reduce((n, one) => n + one.parked, 0) ?? 0;
  await until("all but one are sent, and that is set aside", async () => sent.length === 19 && (await parked()) === 1);
  isOut = false;
  expect(await pool.sendFailedAgain()).toBe(1);
  await until("it is sent", () => sent.includes("customer-7"));
  ending.abort();
  await Promise.all(working);
  expect(sent.toSorted()).toEqual(names.toSorted());
  const recorded: string[] = [];
  for await (const { segment } of store.getSpaceClient("sent").read()) recorded.push(segment);
  expect(recorded.toSorted()).toEqual(names.toSorted());
});

test("the README says how long the pool of workers is", async () => {
  const folder = join(import.meta.dirname, "../../../examples");
  const lines = (await readFile(join(folder, "worker-pool.ts"), "utf8")).trimEnd().split("\n").length;
  expect(await readFile(join(folder, "README.md"), "utf8")).toContain(`worker-pool.ts), in ${lines} lines`);
});

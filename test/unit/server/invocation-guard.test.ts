// Invocations whose requests wait in front of a busy process, and one whose request never comes.

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, request as openRequest } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, expect, test } from "vitest";

import { guardInvocations } from "../../../src/server/invocation-guard.ts";
import type { ProgrammingModel } from "../../../src/server/invocation-guard.ts";
import { systemClock as clock } from "../../system.ts";

const header = "x-ms-invocation-id";
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** As the library does it: a server, and invocations that wait for the request with their id. */
async function guarded(requestWithinMs: number) {
  const found = new Map<string, PromiseWithResolvers<{ context: unknown }>>();
  const of = (id: string): PromiseWithResolvers<{ context: unknown }> => {
    const known = found.get(id) ?? Promise.withResolvers<{ context: unknown }>();
    found.set(id, known);
    return known;
  };
  const server = createServer((request, response) => {
    const id = request.headers[header];
    if (typeof id !== "string") return;
    of(id).resolve({ context: response });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const model: ProgrammingModel = {
    getCapabilities: (capabilities) => Promise.resolve({ ...capabilities, HttpUri: url }),
    getInvocationModel: ({ invocationId }) => ({
      getArguments: () => of(invocationId).promise,
      getResponse: () => Promise.resolve(),
    }),
  };
  const guard = guardInvocations(model, { clock, requestWithinMs, invocationWithinMs: 60_000 });
  await model.getCapabilities({});
  closing.push(() => {
    guard.close();
    server.closeAllConnections();
    server.close();
  });
  return {
    invoke: (id: string): Promise<unknown> => model.getInvocationModel({ invocationId: id }).getArguments(),
    send: (id: string): void => {
      const request = openRequest(url, { method: "POST", headers: { [header]: id }, agent: false });
      request.on("error", () => undefined).flushHeaders();
    },
  };
}

test("none is missing while its connection waits behind a hundred others in a busy process", async () => {
  const { invoke, send } = await guarded(50);
  let isBusy = true;
  // Turns of 10 ms, in each of which Node.js accepts one connection.
  const turn = (): void => {
    const end = performance.now() + 10;
    while (performance.now() < end);
    if (isBusy) setImmediate(turn);
  };
  setImmediate(turn);
  const ids = Array.from({ length: 100 }, () => randomUUID());
  const invoked = ids.map((id) => invoke(id));
  for (const id of ids) send(id);
  const outcomes = await Promise.allSettled(invoked);
  isBusy = false;
  expect(outcomes.filter(({ status }) => status === "rejected")).toEqual([]);
});

test("one whose request does not come fails, also beside others", async () => {
  const { invoke, send } = await guarded(50);
  const id = randomUUID();
  const [given, missing, alsoMissing] = [invoke(id), invoke(randomUUID()), invoke(randomUUID())];
  send(id);
  await expect(missing).rejects.toThrow("did not come within 0.05 s");
  await expect(alsoMissing).rejects.toThrow("did not come");
  await expect(given).resolves.toBeDefined();
});

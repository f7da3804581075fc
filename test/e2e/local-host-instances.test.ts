// What the README says of several instances on one emulator, and of what a restart keeps.

import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { afterEach, expect, inject, test } from "vitest";
import { startAzurite } from "../../scripts/local/azurite.ts";
import { startApp } from "./harness.ts";
import type { RunningApp } from "./harness.ts";

const stopping: (() => Promise<void>)[] = [];
afterEach(stopAll);

async function stopAll(): Promise<void> {
  for (const stop of stopping.splice(0).toReversed()) await stop();
}

/** An emulator with its data on disk, and as many instances of the app. */
async function startAll(location: string, count: number): Promise<readonly RunningApp[]> {
  const emulator = startAzurite({ location, ports: "free" });
  stopping.push(() => emulator.child.stop());
  const azurite = await emulator.ready;
  const apps = await Promise.all(Array.from({ length: count }, () => startApp({ azurite })));
  stopping.push(...apps.map((app) => () => app.stop()));
  return apps;
}

interface Page {
  readonly entries: readonly { readonly sequence: number; readonly payload: string; readonly timestamp: number }[];
}

test(
  "several instances write one segment side by side, and a restart keeps all of it",
  { timeout: 60_000 },
  async () => {
    const location = join(inject("runFolder"), `azurite-${randomUUID()}`);
    const store = `/v1/stores/${randomUUID()}`;
    const segment = `${store}/spaces/orders/segments/order-1`;
    const produce = async (app: RunningApp, payload: string): Promise<void> => {
      const answer = await fetch(`${app.url}${segment}/records?encoding=text`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ records: [{ payload }] }),
      });
      expect(answer.status, await answer.text()).toBe(200);
    };
    const read = async (app: RunningApp): Promise<Page> =>
      (await fetch(`${app.url}${segment}/entries?encoding=text`)).json() as Promise<Page>;

    const apps = await startAll(location, 3);
    const payloads = Array.from({ length: 12 }, (_, index) => `event ${index}`);
    await Promise.all(payloads.map((payload, index) => produce(apps[index % apps.length]!, payload)));
    const before = await read(apps[0]!);
    expect(before.entries.map(({ sequence }) => sequence)).toEqual(payloads.map((_, index) => index + 1));
    expect(new Set(before.entries.map(({ payload }) => payload))).toEqual(new Set(payloads));
    for (const app of apps) expect(await read(app)).toEqual(before);

    await stopAll();
    const [again] = await startAll(location, 1);
    expect(await read(again!)).toEqual(before);
    await produce(again!, "one more");
    expect((await read(again!)).entries.at(-1)).toMatchObject({ sequence: 13, payload: "one more" });
    expect(await (await fetch(`${again!.url}${store}/spaces`)).json()).toMatchObject({ spaces: ["orders"] });
  },
);

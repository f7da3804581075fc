// The files of `src/` that one warm call crosses: those of which a function runs between the request and its answer.
//
// `node test/unit/house/crossed.ts` tells them, by call and by folder; a test holds how many they are.

import { Session } from "node:inspector/promises";
import { randomUUID } from "node:crypto";
import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { plainCompressor } from "../../../src/codec/block.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { createAzureStoreFactory } from "../../../src/store/azure/factory.ts";
import { SimulatedAccount } from "../../doubles/simulated-table.ts";
import { clock, json, openService, random, segmentPath } from "../server/in-process.ts";

const root = resolve(import.meta.dirname, "../../..");

export interface Crossed {
  readonly produce: readonly string[];
  readonly consume: readonly string[];
}

/** Paths from the project's root, in their order. */
export async function crossed(): Promise<Crossed> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
  const account = new SimulatedAccount({ clock });
  const stores = createAzureStoreFactory({
    ...{ account, notifier: undefined, compressor: plainCompressor, clock, random, logger: silentLogger },
  });
  const service = await openService({ stores });
  const segment = segmentPath(randomUUID(), "orders", "order-1");
  const produce = () =>
    service.call("POST", `${segment}/records?encoding=json`, json({ records: [{ payload: { item: "book" } }] }));
  const consume = () => service.call("GET", `${segment}/entries?encoding=json`, {});
  for (let warm = 0; warm < 3; warm += 1) await produce().then(consume);
  const during = async (call: () => Promise<unknown>): Promise<readonly string[]> => {
    await session.post("Profiler.takePreciseCoverage");
    await call();
    const { result } = await session.post("Profiler.takePreciseCoverage");
    const ran = result.filter(({ functions }) => functions.some(({ ranges }) => ranges.some(({ count }) => count > 0)));
    const paths = ran.map(({ url }) => (url.startsWith("file:") ? relative(root, fileURLToPath(url)) : ""));
    return paths.filter((path) => path.startsWith("src/")).sort();
  };
  const found = { produce: await during(produce), consume: await during(consume) };
  await session.post("Profiler.stopPreciseCoverage");
  session.disconnect();
  await service.dispose();
  return found;
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  console.log(JSON.stringify(await crossed()));
}

// What a produce is told that could not be committed in time.

import { expect, test } from "vitest";
import { plainCompressor } from "../../../../src/codec/block.ts";
import { noMetadata } from "../../../../src/core/entry.ts";
import { parseSegmentName, parseSpaceName, parseStoreId } from "../../../../src/core/ids.ts";
import { silentLogger } from "../../../../src/core/logger.ts";
import { createAzureStoreFactory } from "../../../../src/store/azure/factory.ts";
import { segmentPartition } from "../../../../src/store/azure/rows/keys.ts";
import { type Failure, faults } from "../../../doubles/fault.ts";
import { SimulatedAccount } from "../../../doubles/simulated-table.ts";
import { systemRandom } from "../../../system.ts";
import { VirtualClock } from "../../../virtual-clock.ts";

const space = parseSpaceName("orders");
const [known, other] = [parseSegmentName("known"), parseSegmentName("other")];
const produceTimeoutMs = 5_000;

/** The storage fails requests to the partitions it is told of. */
function world() {
  const clock = new VirtualClock();
  const fails = { failure: undefined as Failure | undefined, only: undefined as string | undefined };
  const account = new SimulatedAccount({
    clock,
    plan: (request) => {
      const partition = request.kind === "create" ? "" : request.partition;
      const isHit = fails.only === undefined || fails.only === partition;
      return fails.failure !== undefined && isHit ? faults.failed(fails.failure, 5) : faults.answered(5, 5);
    },
  });
  const store = createAzureStoreFactory({
    ...{ account, notifier: undefined, compressor: plainCompressor, clock, random: systemRandom, logger: silentLogger },
    options: { produceTimeoutMs },
  }).open(parseStoreId("00112233-4455-6677-8899-aabbccddeeff"));
  const produce = async (segment = known): Promise<unknown> => {
    const records = [{ payload: Buffer.from("x"), metadata: noMetadata }];
    const answer = (async () => {
      for await (const { transaction } of store.produce(space, segment, records)) return transaction?.number;
      return undefined;
    })().catch((error: unknown) => error);
    await clock.pass(2 * produceTimeoutMs);
    return answer;
  };
  return { fails, produce };
}

test.each([
  ["does not answer", { kind: "unavailable" }, "storage_unavailable"],
  ["is slow to death", { kind: "timeout" }, "storage_unavailable"],
  ["throttles", { kind: "throttled" }, "throttled"],
] as const)("storage that %s is named, not the load", async (_, failure, code) => {
  const { fails, produce } = world();
  expect(await produce()).toBe(1);
  fails.failure = failure;
  const error = await produce();
  expect(error).toMatchObject({ code, retryAfterMs: 1_000 });
  fails.failure = undefined;
  expect(typeof (await produce())).toBe("number");
});

test("a segment that cannot be read is named to its own produces alone", async () => {
  const { fails, produce } = world();
  expect(await produce()).toBe(1);
  fails.only = segmentPartition(space, other);
  fails.failure = { kind: "unavailable" };
  expect(await produce(other)).toMatchObject({ code: "storage_unavailable", effect: "none" });
  expect(await produce()).toBe(2);
});

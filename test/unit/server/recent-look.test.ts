// What live readers of many idle spaces cost the storage, and when they hear of a commit: in virtual time.

import { randomUUID } from "node:crypto";

import { describe, expect, test } from "vitest";

import { plainCompressor } from "../../../src/codec/block.ts";
import type { SpaceName } from "../../../src/core/ids.ts";
import { noMetadata } from "../../../src/core/entry.ts";
import { parseSegmentName, parseSpaceName, parseStoreId } from "../../../src/core/ids.ts";
import { silentLogger } from "../../../src/core/logger.ts";
import { watchAny, SpaceWatches } from "../../../src/server/space-watch.ts";
import type { SpaceWatch } from "../../../src/server/space-watch.ts";
import { createAzureStoreFactory } from "../../../src/store/azure/factory.ts";
import type { Store } from "../../../src/store/store.ts";
import { openLogsPartition } from "../../../src/store/azure/rows/keys.ts";
import { storeRowPartition } from "../../../src/store/azure/rows/store-row.ts";
import { faults } from "../../doubles/fault.ts";
import { SimulatedAccount } from "../../doubles/simulated-table.ts";
import type { SimulatedRequest } from "../../doubles/simulated-table.ts";
import { Chance } from "../../simulation/chance.ts";
import { MachineClock, Timeline } from "../../simulation/timeline.ts";

const segment = parseSegmentName("g");
const spaceNumber = (number: number): SpaceName => parseSpaceName(`space ${number}`);

/** An instance that reads, and another that writes, of one account. */
class Pair {
  readonly timeline = new Timeline();
  /** Requests of the instance that reads. */
  readonly requests: SimulatedRequest[] = [];
  readonly reader: Store;
  readonly writer: Store;
  readonly watches: SpaceWatches;
  /** The list of open logs is not answered. */
  isListAway = false;

  constructor(seed = "") {
    const clock = new MachineClock(this.timeline);
    const id = parseStoreId(randomUUID());
    const account = new SimulatedAccount({
      clock,
      plan: (request) => {
        // That the store is there is asked for all of its spaces together, in a row of its own.
        const isOfStore = "partition" in request && request.partition === storeRowPartition(id);
        if (request.client === "reader" && !isOfStore) this.requests.push(request);
        const isAway = this.isListAway && request.kind === "query" && request.partition === openLogsPartition;
        return isAway ? faults.failed({ kind: "unavailable" }, 5) : faults.answered(5, 5);
      },
    });
    const open = (name: string): Store =>
      createAzureStoreFactory({
        ...{ account: account.connect(name), notifier: undefined, compressor: plainCompressor, clock },
        ...{ random: new Chance(name), logger: silentLogger },
      }).open(id);
    this.reader = open("reader");
    this.writer = open("writer");
    this.watches = new SpaceWatches(clock, new Chance(`watches ${seed}`), silentLogger);
  }

  /** Streams of so many idle spaces each. */
  async watch(streams: number, spacesEach: number): Promise<readonly SpaceWatch[]> {
    const opened: SpaceWatch[] = [];
    for (let stream = 0; stream < streams; stream += 1) {
      const spaces = Array.from({ length: spacesEach }, (_, index) => spaceNumber(stream * spacesEach + index));
      opened.push(watchAny(await this.end(Promise.all(spaces.map((space) => this.watches.open(this.reader, space))))));
    }
    return opened;
  }

  /** Lets time pass until it is there. */
  async end<T>(work: Promise<T>): Promise<T> {
    let isOver = false;
    const over = (): void => void (isOver = true);
    work.then(over, over);
    expect(await this.timeline.run(() => isOver, 600_000)).toBe(true);
    return work;
  }

  async pass(ms: number): Promise<void> {
    await this.timeline.run(() => false, ms);
  }

  async produce(space: SpaceName): Promise<void> {
    const records = [{ payload: Buffer.from("1"), metadata: noMetadata }];
    const chunks = this.writer.produce(space, segment, records)[Symbol.asyncIterator]();
    await this.end(chunks.next());
  }

  /** How long after a commit to the space the stream hears of it. */
  async hearsAfterMs(stream: SpaceWatch, space: SpaceName): Promise<number> {
    const heard = stream.changed(stream.version, 100_000, new AbortController().signal).then(() => this.timeline.now);
    await this.produce(space);
    const committedAt = this.timeline.now;
    return (await this.end(heard)) - committedAt;
  }

  /** Requests of the next so many milliseconds. */
  async costs(ms: number): Promise<{ readonly lists: number; readonly looks: number }> {
    this.requests.length = 0;
    await this.pass(ms);
    const lists = this.requests.filter(({ kind }) => kind === "query").length;
    return { lists, looks: this.requests.length - lists };
  }
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe("live readers of many idle spaces", () => {
  test("ask for one list a second, not for each space: 50 streams of 100 spaces", async () => {
    const pair = new Pair();
    const streams = await pair.watch(50, 100);
    expect(pair.watches.size).toBe(5_000);
    await pair.pass(2_500);
    expect(pair.requests.length).toBeLessThanOrEqual(7 * 5_000);
    const { lists, looks } = await pair.costs(3_000);
    expect(lists).toBeGreaterThanOrEqual(2);
    expect(lists).toBeLessThanOrEqual(4);
    expect(looks).toBe(0);
    const took = await pair.hearsAfterMs(streams[31]!, spaceNumber(3_150));
    expect(took).toBeLessThan(1_500);
    for (const stream of streams) stream.close();
    expect((await pair.costs(5_000)).lists).toBeLessThanOrEqual(1);
  }, 120_000);

  test("look at each space for itself once in two and a half to five minutes all the same", async () => {
    const pair = new Pair();
    await pair.watch(1, 20);
    await pair.pass(5_000);
    const { lists, looks } = await pair.costs(900_000);
    expect(lists).toBeLessThan(1_000);
    expect(looks).toBeGreaterThanOrEqual(2 * 20);
    expect(looks).toBeLessThanOrEqual(6 * 20);
  }, 120_000);

  test("hear of another instance's commits as soon as one who looks at one space alone", async () => {
    const rounds = 20;
    const alone: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const pair = new Pair(`round ${round}`);
      const [stream] = await pair.watch(1, 1);
      await pair.pass(5_000 + 137 * round);
      alone.push(await pair.hearsAfterMs(stream!, spaceNumber(0)));
    }
    const together: number[] = [];
    const pair = new Pair();
    const [stream] = await pair.watch(1, 100);
    for (let round = 0; round < rounds; round += 1) {
      await pair.pass(5_000 + 137 * round);
      together.push(await pair.hearsAfterMs(stream!, spaceNumber(round)));
    }
    expect(Math.max(...together)).toBeLessThan(1_500);
    expect(mean(together)).toBeLessThan(mean(alone) + 150);
  }, 120_000);

  test("look at each space alone, and hear as soon, while the list is away", async () => {
    const pair = new Pair();
    const [stream] = await pair.watch(1, 20);
    await pair.pass(5_000);
    pair.isListAway = true;
    await pair.pass(5_000);
    expect((await pair.costs(5_000)).looks).toBeGreaterThan(60);
    expect(await pair.hearsAfterMs(stream!, spaceNumber(7))).toBeLessThan(1_500);
    pair.isListAway = false;
    await pair.pass(3_000);
    // The one that has just been written to is looked at on its own.
    expect((await pair.costs(5_000)).looks).toBeLessThanOrEqual(7);
  });

  test("look at each alone where far more logs are open than are watched: the list would cost more", async () => {
    const pair = new Pair();
    for (let number = 0; number < 41; number += 1) await pair.produce(spaceNumber(1_000 + number));
    await pair.watch(1, 10);
    await pair.pass(5_000);
    const { lists, looks } = await pair.costs(30_000);
    expect(lists).toBeLessThanOrEqual(1);
    expect(looks).toBeGreaterThan(200);
  });

  test("look at a few spaces alone", async () => {
    const pair = new Pair();
    await pair.watch(1, 7);
    await pair.pass(5_000);
    expect((await pair.costs(5_000)).lists).toBe(0);
  });
});

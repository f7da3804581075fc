// A stream and its producers, on several instances under faults: each producer repeats what it was not answered,
// wherever an instance is alive; zombies go on in an epoch that is over; others leave appends out, write plain records
// beside, and close it in the end.
//
// Judged by what a new instance reads when all is calm (I10): of each producer, in each of its epochs, appends 0, 1, 2
// ... once and in order, no epoch after a later one, all that was acknowledged, and nothing behind the close.

import type { Random } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/logger.ts";
import { noMetadata } from "../../src/core/entry.ts";
import { parseSegmentName, parseSpaceName, parseStoreId } from "../../src/core/ids.ts";
import { plainCompressor } from "../../src/codec/block.ts";
import { createAzureStoreFactory } from "../../src/store/azure/factory.ts";
import { logPartition, segmentsPartition, spacesPartition } from "../../src/store/azure/rows/keys.ts";
import type { Store, StreamOutcome } from "../../src/store/store.ts";
import type { StreamWish } from "../../src/store/stream-rules.ts";
import { SimulatedAccount } from "../doubles/simulated-table.ts";
import { Chance } from "./chance.ts";
import { MachineClock, Timeline } from "./timeline.ts";
import { Weather } from "./weather.ts";

const storeId = parseStoreId("00112233-4455-6677-8899-aabbccddeeff");
const space = parseSpaceName("streams");
const segment = parseSegmentName("s");
const producers = ["a", "b", "c"] as const;
const appendsEach = 8;
const crashesMax = 3;
/** Virtual time, milliseconds. */
const workMaxMs = 30 * 60_000;
const lateMs = 10 * 60_000;

interface Machine {
  readonly name: string;
  readonly store: Store;
  readonly crashed: Promise<"crashed">;
  readonly crash: () => void;
  alive: boolean;
}

export async function streams(seed: number): Promise<{ readonly wrong: string | undefined }> {
  const play = new Play(new Chance(`streams ${seed}`));
  try {
    return { wrong: await play.run() };
  } catch (error) {
    return { wrong: `the simulation itself failed: ${String(error)}` };
  }
}

class Play {
  readonly #timeline = new Timeline();
  readonly #chance: Chance;
  readonly #weather: Weather;
  readonly #account: SimulatedAccount;
  readonly #machines: Machine[] = [];
  /** What was acknowledged. */
  readonly #acknowledged = new Set<string>();
  #crashes = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
    this.#weather = new Weather({
      chance: chance.fork("weather"),
      isLog: (partition) => partition === logPartition(space),
      isInventory: (partition) => partition === spacesPartition || partition === segmentsPartition(space),
      crash: (client) => this.#crash(client),
      note: () => undefined,
    });
    this.#account = new SimulatedAccount({
      clock: new MachineClock(this.#timeline),
      plan: (request) => this.#weather.faultOf(request),
    });
  }

  async run(): Promise<string | undefined> {
    for (let index = 0; index < 3; index += 1) this.#start();
    const work = this.#work();
    if (!(await this.#ends(work, workMaxMs))) return "appends were never answered";
    this.#weather.calm();
    // Requests still on their way land, or never will.
    await this.#timeline.run(() => false, lateMs);
    const machine = this.#start();
    const looked = this.#look(machine.store);
    if (!(await this.#ends(looked, workMaxMs))) return "the last look never ended";
    return judge(await looked, this.#acknowledged);
  }

  async #work(): Promise<void> {
    await Promise.all([this.#make(this.#chance.fork("make")), this.#make(this.#chance.fork("make too"))]);
    const actors = producers.map((id) => this.#producer(id, this.#chance.fork(id)));
    await Promise.all([...actors, this.#plain(this.#chance.fork("plain"))]);
    await this.#until(this.#chance.fork("close"), "close/0/0", { closes: true, ...stepOf("close", 0, 0) });
    this.#acknowledged.add("close/0/0");
    // Nobody may come behind.
    await this.#once(this.#chance.fork("late"), "late/0/0", stepOf("late", 0, 0));
  }

  /** Epochs one after the other, and a zombie that does not know of the next. */
  async #producer(id: string, chance: Chance): Promise<void> {
    const zombies: Promise<void>[] = [];
    for (let epoch = 0; epoch < 2; epoch += 1) {
      for (let sequence = 0; sequence < appendsEach; sequence += 1) {
        const text = `${id}/${epoch}/${sequence}`;
        if (chance.happens(0.15))
          await this.#once(chance, `${id}/${epoch}/${sequence + 2}`, stepOf(id, epoch, sequence + 2));
        await this.#until(chance, text, stepOf(id, epoch, sequence));
        this.#acknowledged.add(text);
        await this.#timeline.sleep(chance.between(0, 60));
      }
      if (epoch === 0) zombies.push(this.#zombie(id, chance.fork("zombie")));
    }
    await Promise.all(zombies);
  }

  async #zombie(id: string, chance: Chance): Promise<void> {
    let sequence = appendsEach;
    for (let tries = 0; tries < 12; tries += 1) {
      if (await this.#once(chance, `${id}/0/${sequence}`, stepOf(id, 0, sequence))) sequence += 1;
      await this.#timeline.sleep(chance.between(0, 300));
    }
  }

  /** Records of somebody who knows nothing of streams. */
  async #plain(chance: Chance): Promise<void> {
    for (let index = 0; index < 6; index += 1) {
      const machine = this.#machine(chance);
      const records = [{ payload: Buffer.from(`plain/0/${index}`), metadata: noMetadata }];
      const asked = machine.store.produceAll(space, [{ segment, records }]).catch(() => undefined);
      await Promise.race([asked, machine.crashed]);
      await this.#timeline.sleep(chance.between(0, 120));
    }
  }

  async #make(chance: Chance): Promise<void> {
    const wish = { kind: "make", contentType: "text/plain", closed: false } as const;
    for (;;) {
      const outcome = await this.#ask(this.#machine(chance), wish, []);
      if (outcome?.kind === "written" || outcome?.answer.kind === "as_wanted") return;
      await this.#timeline.sleep(100);
    }
  }

  /** Repeats it until it is answered that it is there. */
  async #until(chance: Chance, text: string, wish: Append): Promise<void> {
    for (;;) {
      const racing = [this.#once(chance, text, wish)];
      if (chance.happens(0.15)) racing.push(this.#once(chance, text, wish));
      if ((await Promise.all(racing)).includes(true)) return;
      await this.#timeline.sleep(chance.between(1, 400));
    }
  }

  /** Whether it is there now. */
  async #once(chance: Chance, text: string, wish: Append): Promise<boolean> {
    const full: StreamWish = { kind: "append", contentType: "text/plain", closes: false, ...wish };
    const outcome = await this.#ask(this.#machine(chance), full, [text]);
    return outcome?.kind === "written" || outcome?.answer.kind === "repeated";
  }

  /** Undefined: it was not answered, or with an error. */
  async #ask(machine: Machine, wish: StreamWish, texts: readonly string[]): Promise<StreamOutcome | undefined> {
    const records = texts.map((text) => ({ payload: Buffer.from(text), metadata: noMetadata }));
    const asked = machine.store.changeStream(space, segment, { wish, records }).catch(() => undefined);
    const outcome = await Promise.race([asked, machine.crashed]);
    return outcome === "crashed" || !machine.alive ? undefined : outcome;
  }

  async #look(store: Store): Promise<readonly string[]> {
    const texts: string[] = [];
    // The next writer applies what is pending, or a close that is there already.
    await store.changeStream(space, segment, { wish: { kind: "use", life: 0 }, records: [] });
    for await (const { payload } of store.consumeSpace(space)) texts.push(Buffer.from(payload).toString());
    return texts;
  }

  #machine(chance: Chance): Machine {
    const live = this.#machines.filter(({ alive }) => alive);
    return live[0] === undefined ? this.#start() : chance.pick(live);
  }

  #start(): Machine {
    const name = `node${this.#machines.length + 1}`;
    const chance = this.#chance.fork(name);
    const clock = new MachineClock(this.#timeline, chance.between(-900, 900));
    const client = this.#account.connect(name);
    const random: Random = { fraction: () => chance.fraction(), uuid: () => chance.uuid() };
    const ended = Promise.withResolvers<"crashed">();
    const factory = createAzureStoreFactory({
      ...{ account: client, notifier: undefined, compressor: plainCompressor, clock, random, logger: silentLogger },
      options: {
        ...{ tablePrefix: "sim", produceTimeoutMs: chance.pick([600, 6_000]), batchOperations: chance.pick([4, 90]) },
        ...{ viewLookupsMax: chance.pick([1, 2_048]), viewJournalMax: chance.pick([1, 3, 2_048]) },
        ...{ catchUpRecordsMax: chance.pick([1, 5, 500]), segmentCacheMax: chance.pick([4, 20_000]) },
      },
    });
    const machine: Machine = {
      name,
      store: factory.open(storeId),
      crashed: ended.promise,
      alive: true,
      crash: () => {
        machine.alive = false;
        client.crash();
        clock.stop();
        ended.resolve("crashed");
      },
    };
    this.#machines.push(machine);
    return machine;
  }

  #crash(client: string): boolean {
    const machine = this.#machines.find(({ alive, name }) => alive && name === client);
    if (machine === undefined || this.#crashes >= crashesMax) return false;
    this.#crashes += 1;
    machine.crash();
    return true;
  }

  async #ends(work: Promise<unknown>, limitMs: number): Promise<boolean> {
    let isOver = false;
    const over = (): void => {
      isOver = true;
    };
    work.then(over, over);
    if (!(await this.#timeline.run(() => isOver, limitMs))) return false;
    await work;
    return true;
  }
}

type Append = Partial<Extract<StreamWish, { kind: "append" }>>;

function stepOf(id: string, epoch: number, sequence: number): Append {
  return { producer: { id, epoch, sequence } };
}

/** What is wrong with what is there. */
function judge(texts: readonly string[], acknowledged: ReadonlySet<string>): string | undefined {
  const last = new Map<string, { readonly epoch: number; readonly sequence: number }>();
  for (const [index, text] of texts.entries()) {
    const [id = "", ...numbers] = text.split("/");
    const [epoch = 0, sequence = 0] = numbers.map(Number);
    if (id === "close" && index < texts.length - 1) return `${texts[index + 1] ?? ""} came behind the close`;
    if (id === "plain") continue;
    const before = last.get(id);
    const isNext =
      before?.epoch === epoch ? sequence === before.sequence + 1 : sequence === 0 && epoch > (before?.epoch ?? -1);
    if (!isNext) return `${text} came after ${before === undefined ? "nothing" : `${before.epoch}/${before.sequence}`}`;
    last.set(id, { epoch, sequence });
  }
  const missing = [...acknowledged].find((text) => !texts.includes(text));
  return missing === undefined ? undefined : `${missing} was acknowledged and is not there`;
}

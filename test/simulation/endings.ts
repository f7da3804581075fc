// A space and its store end, and come back, before instances that know them well (L2, L4, L5, L8).
//
// What is deleted is shown to no read, and no produce is acknowledged, that begins after the deletion was answered;
// what was restored is all there; what was removed is in no row, and stays so whatever lands late; what is written
// afterwards is a new life, and is lost to nobody. Clocks of machines run up to a tenth too fast or too slow.

import type { AppendRecord } from "../../src/core/entry.ts";
import { noMetadata } from "../../src/core/entry.ts";
import { StoreError } from "../../src/core/errors.ts";
import { parseSegmentName, parseSpaceName } from "../../src/core/ids.ts";
import { logHeadRow, storeTableName } from "../../src/store/azure/rows/keys.ts";
import type { Store } from "../../src/store/store.ts";
import { SimulatedAccount } from "../doubles/simulated-table.ts";
import { Chance } from "./chance.ts";
import { Fleet, judged, storeId, within } from "./fleet.ts";
import type { Instance, StoppedClock } from "./fleet.ts";
import { MachineClock, Timeline } from "./timeline.ts";
import { Verdict } from "./truth.ts";
import { Weather } from "./weather.ts";

const doomed = parseSpaceName("doomed");
const segments = ["a", "b"].map(parseSegmentName);
/** Longer than anything is on its way. */
const landsWithinMs = 32_000;
const settings = { tablePrefix: "sim", landsWithinMs, storeHeldMs: 2_000, walGraceMs: 100, settleDelayMs: 200 };
const table = storeTableName("sim", storeId);

/** One record that somebody wrote. */
interface Written {
  readonly text: string;
  readonly beganAt: number;
  endedAt: number;
  acknowledged: { readonly segment: string; readonly sequence: number } | undefined;
}

export function endings(seed: number): ReturnType<typeof judged> {
  return judged(new Endings(new Chance(`endings ${seed}`)));
}

class Endings {
  readonly verdict = new Verdict();
  readonly #chance: Chance;
  readonly #timeline = new Timeline();
  readonly #clock: MachineClock;
  readonly #weather: Weather;
  readonly #account: SimulatedAccount;
  readonly #fleet: Fleet;
  readonly #written: Written[] = [];
  /** When the deletion that holds was asked for and answered. */
  #askedAt = Infinity;
  #answeredAt = Infinity;
  #isOver = false;

  constructor(chance: Chance) {
    this.#chance = chance;
    this.#clock = new MachineClock(this.#timeline);
    this.#weather = new Weather({
      chance: chance.fork("weather"),
      isLog: () => false,
      isInventory: () => false,
      crash: (client) => this.#fleet.crash(client),
      note: () => undefined,
    });
    this.#account = new SimulatedAccount({
      clock: this.#clock,
      plan: (request) => (request.client === "" ? undefined : this.#weather.faultOf(request)),
    });
    this.#fleet = new Fleet({
      chance,
      timeline: this.#timeline,
      account: this.#account,
      settings,
      crashesMax: 3,
      clockOf: driftingClock,
    });
    const head = logHeadRow(doomed);
    this.#account.observe(({ changes }) => {
      // From that moment on it may be written again.
      if (changes.some(({ after, row }) => row === head && after?.properties["end"] === "removed"))
        this.#answeredAt = Infinity;
    });
  }

  async all(): Promise<void> {
    const chance = this.#chance;
    const ofStore = chance.happens(0.4);
    const erase = chance.happens(0.5);
    const restores = !erase && chance.happens(0.5);
    for (let count = 0; count < 3; count += 1) this.#fleet.start();
    const writing = [1, 2, 3].map((which) => this.#write(chance.fork(`writer ${which}`)));
    const reading = [1, 2, 3].map((which) => this.#look(chance.fork(`reader ${which}`)));
    void this.#monitor(chance.fork("monitor"));
    const ending = this.#end(chance.fork("ending"), { ofStore, erase, restores });
    const isDone = await within(this.#timeline, this.verdict, ending, 300_000);
    if (!isDone) this.verdict.report("I7", "the deletion was never answered");
    this.#weather.calm();
    this.#isOver = true;
    await within(this.#timeline, this.verdict, Promise.all([...writing, ...reading]), 120_000);
    // Requests on their way land.
    await this.#timeline.run(() => false, landsWithinMs);
    if (this.verdict.wrong !== undefined) return;
    if (await ending) await this.#afterRestore();
    else await this.#afterRemoval(ofStore);
  }

  /** True: it was restored. */
  async #end(
    chance: Chance,
    { erase, ofStore, restores }: { readonly ofStore: boolean; readonly erase: boolean; readonly restores: boolean },
  ): Promise<boolean> {
    await this.#timeline.sleep(chance.between(100, 4_000));
    // There is something to delete.
    while (!this.#written.some(({ acknowledged }) => acknowledged !== undefined)) await this.#timeline.sleep(50);
    if (!ofStore && chance.happens(0.5)) {
      // Deleted and restored before: instances know the space as of a later epoch.
      await this.#insist((store) => store.deleteSpace(doomed, { graceMs: 600_000 }));
      await this.#insist((store) => store.restoreSpace(doomed));
      await this.#timeline.sleep(chance.between(1_000, 8_000));
    }
    this.#askedAt = this.#timeline.now;
    const wish = { erase, graceMs: chance.pick([0, 60_000]) };
    await this.#insist((store) => (ofStore ? store.deleteStore(wish) : store.deleteSpace(doomed, wish)));
    this.#answeredAt = this.#timeline.now;
    await this.#timeline.sleep(chance.between(0, 6_000));
    const removing = this.#remove(chance.fork("remover"), ofStore);
    if (restores) {
      await this.#timeline.sleep(chance.happens(0.5) ? chance.between(0, 5_000) : chance.between(30_000, 40_000));
      const before = this.#answeredAt;
      // While it is on its way both may be told.
      this.#answeredAt = Infinity;
      const isRestored = await this.#insist(async (store) => {
        try {
          await (ofStore ? store.restoreStore() : store.restoreSpace(doomed));
          return true;
        } catch (error) {
          if (error instanceof StoreError && error.code === "deleted") return false;
          throw error;
        }
      });
      if (isRestored) {
        this.#askedAt = Infinity;
        await this.#timeline.sleep(chance.between(0, 20_000));
        return true;
      }
      this.#answeredAt = before;
    }
    await removing;
    return false;
  }

  /** By any instance, several at a time, until it is done or there is nothing to do. */
  async #remove(chance: Chance, ofStore: boolean): Promise<void> {
    let isEnded = false;
    const remover = async (turns: Chance): Promise<void> => {
      while (!isEnded) {
        const { factory, crashed } = this.#fleet.pick(turns);
        const turn = { isOver: () => turns.happens(0.3) };
        const removed = ofStore ? factory.removeStore(storeId, turn) : factory.removeSpace(storeId, doomed, turn);
        const result = await Promise.race([removed.catch(() => undefined), crashed]);
        if (result?.state === "done" || result?.state === "live") isEnded = true;
        await this.#timeline.sleep(turns.pick([10, 500, 3_000]));
      }
    };
    await Promise.all([remover(chance.fork("1")), remover(chance.fork("2"))]);
  }

  async #write(chance: Chance): Promise<void> {
    while (!this.#isOver) {
      await this.#timeline.sleep(chance.pick([20, 300, 3_000]) * chance.fraction());
      await this.#produce(this.#fleet.pick(chance), chance);
    }
  }

  async #produce({ crashed, store }: Instance, chance: Chance): Promise<Written> {
    const text = `<${this.#written.length + 1}>`;
    const written: Written = { text, beganAt: this.#timeline.now, endedAt: Infinity, acknowledged: undefined };
    this.#written.push(written);
    const answered = this.#answeredAt;
    const segment = chance.pick(segments);
    const record: AppendRecord = { payload: Buffer.from(text), metadata: noMetadata };
    const producing = (async () => {
      for await (const { transaction } of store.produce(doomed, segment, [record])) return transaction?.firstSequence;
      return undefined;
    })();
    const outcome = await Promise.race([producing.catch((error: unknown) => this.#expected(error)), crashed]);
    if (outcome !== undefined) {
      written.acknowledged = { segment, sequence: outcome };
      const isGone = written.beganAt > answered && this.#answeredAt === answered;
      this.verdict.check(!isGone, "L8", () => `${text} was acknowledged after the deletion was`);
    }
    written.endedAt = this.#timeline.now;
    return written;
  }

  async #look(chance: Chance): Promise<void> {
    while (!this.#isOver) {
      await this.#timeline.sleep(chance.pick([20, 400, 3_000]) * chance.fraction());
      const { crashed, store } = this.#fleet.pick(chance);
      const answered = this.#answeredAt;
      const began = this.#timeline.now;
      const reading = (async () => {
        const found: string[] = [];
        const what = chance.pick(["space", "segment", "last", "names"] as const);
        const segment = chance.pick(segments);
        if (what === "space") for await (const { payload } of store.consumeSpace(doomed)) found.push(textOf(payload));
        if (what === "segment")
          for await (const { payload } of store.consumeSegment(doomed, segment)) found.push(textOf(payload));
        if (what === "last") found.push(...[await store.peek(doomed, segment)].flatMap((one) => (one ? [textOf(one.payload)] : []))); // prettier-ignore
        if (what === "names") for await (const name of store.getSpaces()) found.push(name);
        return found;
      })();
      const found = await Promise.race([reading.catch((error: unknown) => this.#expected(error)), crashed]);
      const isGone = began > answered && this.#answeredAt === answered;
      if (isGone)
        this.verdict.check((found ?? []).length === 0, "L2", () => `${found?.[0]} is shown after its deletion`);
    }
  }

  async #monitor(chance: Chance): Promise<void> {
    while (!this.#isOver) {
      await this.#timeline.sleep(chance.between(200, 2_000));
      const { crashed, factory } = this.#fleet.pick(chance);
      await Promise.race([factory.recover({ deadlineMs: 2_000 }).catch(() => undefined), crashed]);
    }
  }

  /** All that was acknowledged before the deletion was asked for, and since, is there. */
  async #afterRestore(): Promise<void> {
    const { store } = this.#fleet.start();
    const wanted = this.#written.filter(({ acknowledged }) => acknowledged !== undefined);
    const read = (async () => {
      const found: string[] = [];
      for await (const { payload } of store.consumeSpace(doomed)) found.push(textOf(payload));
      for (const { text } of wanted)
        this.verdict.check(found.filter((one) => one === text).length === 1, "L8", () => `${text} was restored and is not there`); // prettier-ignore
      const names: string[] = [];
      for await (const name of store.getSpaces()) names.push(name);
      this.verdict.check(names.includes(doomed), "L8", () => "the space was restored and is not listed");
    })();
    if (!(await within(this.#timeline, this.verdict, read, 60_000)))
      this.verdict.report("I7", "what was restored cannot be read");
  }

  /** Nothing of the former life is in any row; what is written now begins a new one, and all of it is there. */
  async #afterRemoval(ofStore: boolean): Promise<void> {
    const former = this.#written.filter(({ endedAt }) => endedAt <= this.#askedAt).map(({ text }) => text);
    if (ofStore) {
      this.verdict.check(!this.#account.tables().includes(table), "L4", () => "a store that was removed has a table");
      return;
    }
    const since: Written[] = [];
    const instance = this.#fleet.start();
    const writing = (async () => {
      for (let count = 0; count < 4; count += 1)
        since.push(await this.#produce(instance, this.#chance.fork(`new ${count}`)));
    })();
    if (!(await within(this.#timeline, this.verdict, writing, 60_000)))
      this.verdict.report("I7", "a space that was removed cannot be written");
    const bytes = Buffer.concat(
      this.#account
        .rows(table)
        .flatMap(({ properties }) => Object.values(properties).filter((one) => one instanceof Uint8Array)),
    );
    for (const text of former)
      this.verdict.check(!bytes.includes(text), "L4", () => `${text} was removed and is in a row`);
    const reading = (async () => {
      for (const segment of segments) {
        const texts: string[] = [];
        let next = 1;
        for await (const { payload, sequence } of instance.store.consumeSegment(doomed, segment)) {
          this.verdict.check(sequence === next, "L5", () => `${segment} goes on at ${sequence}, not at ${next}`);
          next = sequence + 1;
          texts.push(textOf(payload));
        }
        for (const { acknowledged, text } of since) {
          if (acknowledged?.segment !== segment) continue;
          this.verdict.check(
            texts[acknowledged.sequence - 1] === text,
            "L8",
            () => `${text} was written after the removal and is lost`,
          );
        }
      }
      const names: string[] = [];
      for await (const name of instance.store.getSpaces()) names.push(name);
      this.verdict.check(names.includes(doomed), "L8", () => "the space was written again and is not listed");
    })();
    if (!(await within(this.#timeline, this.verdict, reading, 60_000)))
      this.verdict.report("I7", "a space that was written again cannot be read");
  }

  /** Asks again when a call fails, or its instance dies. */
  async #insist<T>(ask: (store: Store) => Promise<T>): Promise<T> {
    const chance = this.#chance.fork(`insist ${this.#timeline.now}`);
    for (;;) {
      const { crashed, store } = this.#fleet.pick(chance);
      const answered = ask(store).then(
        (value) => ({ value }),
        (error: unknown) => {
          this.#expected(error);
          return undefined;
        },
      );
      const answer = await Promise.race([answered, crashed]);
      if (answer !== undefined) return answer.value;
      await this.#timeline.sleep(chance.between(10, 500));
    }
  }

  /** Errors of the storage, and what was deleted, are a caller's to live with. */
  #expected(error: unknown): undefined {
    const codes = ["storage_unavailable", "throttled", "overloaded", "deleted", "trimmed"];
    const isExpected = error instanceof StoreError && codes.includes(error.code);
    this.verdict.check(
      isExpected,
      "I7",
      () => `a call ended with ${error instanceof Error ? error.stack : String(error)}`,
    );
    return undefined;
  }
}

function textOf(payload: Uint8Array): string {
  return Buffer.from(payload).toString();
}

/** Up to a tenth too fast or too slow. */
function driftingClock(timeline: Timeline, chance: Chance): StoppedClock {
  const machine = new MachineClock(timeline, chance.between(-2_000, 2_000));
  const rate = chance.between(0.9, 1.1);
  return {
    clock: {
      now: () => machine.now(),
      elapsed: () => timeline.now * rate,
      after: (ms, callback) => machine.after(ms / rate, callback),
    },
    stop: () => machine.stop(),
  };
}

// A backup is restored by several callers at once, at instances that crash, beside a writer who comes in between (L8).
//
// What is restored is at its place with its time and its transaction, once, in the space and in its segments; what a
// call has acknowledged is there; a commit of the backup is there as a whole or not at all; and what is written later
// goes on behind it.

import type { Entry } from "../../src/core/entry.ts";
import { noMetadata } from "../../src/core/entry.ts";
import { StoreError } from "../../src/core/errors.ts";
import { parseNodeId, parseSegmentName, parseSpaceName, parseTransactionId } from "../../src/core/ids.ts";
import { logPartition } from "../../src/store/azure/rows/keys.ts";
import type { Store } from "../../src/store/store.ts";
import { SimulatedAccount } from "../doubles/simulated-table.ts";
import { Chance } from "./chance.ts";
import { Fleet, judged, within } from "./fleet.ts";
import type { Instance } from "./fleet.ts";
import { MachineClock, Timeline } from "./timeline.ts";
import { Verdict } from "./truth.ts";
import { Weather } from "./weather.ts";

const space = parseSpaceName("restored");
const segments = ["a", "b", "c"].map(parseSegmentName);
const settings = {
  tablePrefix: "sim",
  landsWithinMs: 32_000,
  walGraceMs: 100,
  settleDelayMs: 200,
  batchOperations: 100,
};
const restorers = 2;

interface Written {
  readonly text: string;
  acknowledged: boolean;
}

export function restores(seed: number): ReturnType<typeof judged> {
  return judged(new Restores(new Chance(`restores ${seed}`)));
}

class Restores {
  readonly verdict = new Verdict();
  readonly #chance: Chance;
  readonly #timeline = new Timeline();
  readonly #clock: MachineClock;
  readonly #weather: Weather;
  readonly #account: SimulatedAccount;
  readonly #fleet: Fleet;
  readonly #backup: readonly Entry[];
  /** How many of its entries, from the first, a call has acknowledged. */
  #acknowledged = 0;
  readonly #written: Written[] = [];
  #isOver = false;

  constructor(chance: Chance) {
    this.#chance = chance;
    this.#clock = new MachineClock(this.#timeline);
    const log = logPartition(space);
    this.#weather = new Weather({
      chance: chance.fork("weather"),
      isLog: (partition) => partition === log,
      isInventory: () => false,
      crash: (client) => this.#fleet.crash(client),
      note: () => undefined,
    });
    this.#account = new SimulatedAccount({
      clock: this.#clock,
      plan: (request) => (request.client === "" ? undefined : this.#weather.faultOf(request)),
    });
    this.#fleet = new Fleet({ chance, timeline: this.#timeline, account: this.#account, settings, crashesMax: 4 });
    this.#backup = backupOf(chance.fork("backup"), this.#clock.now() - 1_000_000);
  }

  async all(): Promise<void> {
    const chance = this.#chance;
    for (let count = 0; count < 3; count += 1) this.#fleet.start();
    const restoring = Array.from({ length: restorers }, (_, which) => this.#restore(chance.fork(`restorer ${which}`)));
    const writing = chance.happens(0.4) ? this.#write(chance.fork("writer")) : Promise.resolve();
    void this.#monitor(chance.fork("monitor"));
    const isDone = await within(this.#timeline, this.verdict, Promise.all([...restoring, writing]), 600_000);
    if (!isDone) this.verdict.report("I7", "a restore was never answered");
    this.#weather.calm();
    this.#isOver = true;
    // Requests on their way land.
    await this.#timeline.run(() => false, settings.landsWithinMs);
    if (this.verdict.wrong === undefined) await this.#check();
  }

  /** The whole of it in parts, each again until it is answered, or refused since somebody wrote. */
  async #restore(chance: Chance): Promise<void> {
    await this.#timeline.sleep(chance.between(0, 500));
    const ends = commitEnds(this.#backup);
    let from = 0;
    while (from < this.#backup.length && this.verdict.wrong === undefined) {
      // Some begin before what was answered: a repeat.
      const begin = chance.happens(0.3) ? 0 : from;
      const later = ends.filter((end) => end > from);
      const to = later[chance.integer(0, Math.min(later.length - 1, 9))]!;
      const { crashed, store } = this.#fleet.pick(chance);
      const restored = store.restoreEntries(space, this.#backup.slice(begin, to)).then(
        () => true,
        (error: unknown) => this.#expected(error),
      );
      const outcome = await Promise.race([restored, crashed]);
      if (outcome === "refused") return;
      if (outcome === true) {
        from = to;
        this.#acknowledged = Math.max(this.#acknowledged, to);
      }
      await this.#timeline.sleep(chance.pick([0, 20, 300]) * chance.fraction());
    }
  }

  async #write(chance: Chance): Promise<void> {
    await this.#timeline.sleep(chance.between(0, 4_000));
    for (let count = 0; count < 3; count += 1) await this.#produce(this.#fleet.pick(chance), chance);
  }

  async #produce({ crashed, store }: Instance, chance: Chance): Promise<void> {
    const text = `<${this.#written.length + 1}>`;
    const written = { text, acknowledged: false };
    this.#written.push(written);
    const record = { payload: Buffer.from(text), metadata: noMetadata };
    const producing = (async () => {
      for await (const { transaction } of store.produce(space, chance.pick(segments), [record])) return transaction !== undefined; // prettier-ignore
      return false;
    })();
    const outcome = await Promise.race([producing.catch((error: unknown) => this.#expected(error)), crashed]);
    written.acknowledged = outcome === true;
  }

  async #monitor(chance: Chance): Promise<void> {
    while (!this.#isOver) {
      await this.#timeline.sleep(chance.between(200, 2_000));
      const { crashed, factory } = this.#fleet.pick(chance);
      await Promise.race([factory.recover({ deadlineMs: 2_000 }).catch(() => undefined), crashed]);
    }
  }

  async #check(): Promise<void> {
    const { factory, store } = this.#fleet.start();
    const checking = (async () => {
      await factory.recover({ deadlineMs: 20_000 });
      const { verdict } = this;
      const { length } = this.#written;
      // One more, behind everything.
      const end = this.#fleet.start();
      await this.#produce(end, this.#chance.fork("last"));
      verdict.check(this.#written[length]?.acknowledged === true, "I7", () => "a restored space takes no writes");
      const found: Entry[] = [];
      for await (const entry of store.consumeSpace(space)) found.push(entry);
      const texts = new Set(this.#written.map(({ text }) => text));
      const restored = found.filter(({ payload }) => !texts.has(textOf(payload)));
      verdict.check(
        restored.length >= this.#acknowledged && commitEnds(this.#backup, true).includes(restored.length),
        "L8",
        () => `${restored.length} entries are there, ${this.#acknowledged} were acknowledged, or a commit is in parts`,
      );
      for (const [index, entry] of restored.entries())
        verdict.check(isSame(entry, this.#backup[index]), "L8", () => `entry ${index} is ${shown(entry)}`);
      for (const { acknowledged, text } of this.#written) {
        const times = found.filter(({ payload }) => textOf(payload) === text).length;
        verdict.check(times <= 1 && (times === 1 || !acknowledged), "I1", () => `${text} is there ${times} times`);
      }
      for (const segment of segments) await this.#checkSegment(store, segment, found);
      await this.#timeline.sleep(2_000);
      await factory.recover({ deadlineMs: 20_000 });
      const { counts, pending } = await store.getSpaceStatus(space);
      verdict.check(counts?.entries === found.length, "L8", () => `${counts?.entries} counted of ${found.length}`);
      verdict.check(pending === 0, "I7", () => `${pending} records are pending`);
    })();
    if (!(await within(this.#timeline, this.verdict, checking, 120_000)))
      this.verdict.report("I7", "what was restored cannot be read");
  }

  async #checkSegment(store: Store, segment: Entry["segment"], found: readonly Entry[]): Promise<void> {
    const wanted = found.filter((entry) => entry.segment === segment);
    const entries: Entry[] = [];
    for await (const entry of store.consumeSegment(space, segment)) entries.push(entry);
    const isWhole = entries.length === wanted.length && entries.every((entry, index) => isSame(entry, wanted[index]));
    this.verdict.check(isWhole, "I6", () => `${segment} has ${entries.length} entries, its space ${wanted.length}`);
    const [first] = wanted;
    for (const [index, { sequence }] of wanted.entries())
      this.verdict.check(sequence === first!.sequence + index, "I2", () => `${segment} has a gap at ${sequence}`);
    const status = await store.getSegmentStatus?.(space, segment);
    const begins = first?.sequence ?? 0;
    this.verdict.check(status?.firstSequence === begins, "L8", () => `${segment} begins at ${status?.firstSequence}`);
    const names: string[] = [];
    for await (const name of store.getSegments(space)) names.push(name);
    this.verdict.check(first === undefined || names.includes(segment), "I5", () => `${segment} is not listed`);
  }

  /** `refused`: somebody wrote in between. Errors of the storage are a caller's to live with. */
  #expected(error: unknown): "refused" | undefined {
    const code = error instanceof StoreError ? error.code : "";
    const isRefused = (code === "invalid_argument" || code === "sequence_mismatch") && this.#written.length > 0;
    if (isRefused) return "refused";
    const isExpected = ["storage_unavailable", "throttled", "overloaded"].includes(code);
    const what = (): string => `a call ended with ${error instanceof Error ? error.stack : String(error)}`;
    this.verdict.check(isExpected, "I7", what);
    return undefined;
  }
}

/** Commits of one to three segments; segments that begin late, and numbers that leave some out. */
function backupOf(chance: Chance, startedAt: number): readonly Entry[] {
  const node = parseNodeId(chance.uuid());
  const ends = new Map(segments.map((name) => [name, chance.pick([0, 0, 4, 70])]));
  const numbers = new Map(segments.map((name) => [name, Math.min(ends.get(name)!, chance.integer(0, 3))]));
  const entries: Entry[] = [];
  let timestamp = startedAt;
  for (let count = chance.integer(2, 40); count > 0; count -= 1) {
    timestamp += chance.integer(1, 900);
    const id = parseTransactionId(chance.uuid());
    const chosen = segments.filter(() => chance.happens(0.5));
    for (const segment of chosen.length === 0 ? segments.slice(0, 1) : chosen) {
      // Now and then a transaction without entries came before it.
      const number = numbers.get(segment)! + (chance.happens(0.1) ? 2 : 1);
      numbers.set(segment, number);
      for (let left = chance.integer(1, 3); left > 0; left -= 1) {
        const sequence = ends.get(segment)! + 1;
        ends.set(segment, sequence);
        const payload = Buffer.from(`${segment} ${sequence}`);
        entries.push({ sequence, timestamp, trx: { id, node, number }, payload, metadata: noMetadata, space, segment });
      }
    }
  }
  return entries;
}

/** How many entries there are up to the end of each commit; `all`: and 0. */
function commitEnds(entries: readonly Entry[], all = false): readonly number[] {
  const ends = entries.flatMap(({ timestamp }, index) =>
    entries[index + 1]?.timestamp === timestamp ? [] : [index + 1],
  );
  return all ? [0, ...ends] : ends;
}

function isSame(a: Entry, b: Entry | undefined): boolean {
  return b !== undefined && shown(a) === shown(b);
}

function shown({ payload, segment, sequence, timestamp, trx: { id, node, number } }: Entry): string {
  return JSON.stringify([segment, sequence, timestamp, id, node, number, textOf(payload)]);
}

function textOf(payload: Uint8Array): string {
  return Buffer.from(payload).toString();
}

// Entries are redacted beside writers, readers, compactions and repairs of a segment that somebody spoils (L4).
//
// What was redacted is in no row from the answer on, whoever was late; no read that begins later shows it; everything
// else is where it was.

import { Readable } from "node:stream";

import type { AppendRecord } from "../../src/core/entry.ts";
import { noMetadata } from "../../src/core/entry.ts";
import { StoreError } from "../../src/core/errors.ts";
import type { SegmentName } from "../../src/core/ids.ts";
import { parseSegmentName, parseSpaceName, parseTransactionId } from "../../src/core/ids.ts";
import { plainCompressor } from "../../src/codec/block.ts";
import { fsck } from "../../src/store/azure/fsck/fsck.ts";
import { segmentPartition, storeTableName } from "../../src/store/azure/rows/keys.ts";
import type { Row, TableAccount } from "../../src/table/port.ts";
import { TableFailure } from "../../src/table/port.ts";
import { SimulatedAccount } from "../doubles/simulated-table.ts";
import { Chance } from "./chance.ts";
import { Fleet, judged, storeId, within } from "./fleet.ts";
import { MachineClock, Timeline } from "./timeline.ts";
import { Verdict } from "./truth.ts";
import { Weather } from "./weather.ts";

const space = parseSpaceName("told");
const segments = ["a", "b"].map(parseSegmentName);
/** Longer than anything is on its way. */
const landsWithinMs = 32_000;
const settings = {
  ...{ tablePrefix: "sim", landsWithinMs, walGraceMs: 100, settleDelayMs: 200, batchOperations: 6 },
  ...{ compactAfterMs: 0, compactAgainAfterMs: 2_000, compactRowsMin: 3 },
};
const table = storeTableName("sim", storeId);
const crashesMax = 3;

/** An entry whose produce was acknowledged. */
interface Acknowledged {
  readonly text: string;
  readonly segment: SegmentName;
  readonly sequence: number;
  /** Somebody has asked for its redaction. */
  asked: boolean;
  /** When its redaction was answered. */
  redactedAt: number;
}

export function redactions(seed: number): ReturnType<typeof judged> {
  return judged(new Redactions(new Chance(`redactions ${seed}`)));
}

class Redactions {
  readonly verdict = new Verdict();
  readonly #chance: Chance;
  readonly #timeline = new Timeline();
  readonly #weather: Weather;
  readonly #account: SimulatedAccount;
  readonly #fleet: Fleet;
  readonly #entries: Acknowledged[] = [];
  #written = 0;
  #isOver = false;

  constructor(chance: Chance) {
    this.#chance = chance;
    this.#weather = new Weather({
      chance: chance.fork("weather"),
      isLog: () => false,
      isInventory: () => false,
      crash: (client) => this.#fleet.crash(client),
      note: () => undefined,
    });
    this.#account = new SimulatedAccount({
      clock: new MachineClock(this.#timeline),
      plan: (request) => (request.client === "" ? undefined : this.#weather.faultOf(request)),
    });
    this.#fleet = new Fleet({
      chance,
      timeline: this.#timeline,
      account: this.#account,
      settings,
      crashesMax: crashesMax,
    });
    this.#account.observe(({ changes, client }) => {
      for (const { after } of changes) if (after !== undefined) this.#check(after, `${client} wrote back`);
    });
  }

  async all(): Promise<void> {
    const chance = this.#chance;
    for (let count = 0; count < 3; count += 1) this.#fleet.start();
    const working = [
      ...[1, 2].map((which) => this.#write(chance.fork(`writer ${which}`))),
      ...[1, 2].map((which) => this.#redact(chance.fork(`redactor ${which}`))),
      ...[1, 2].map((which) => this.#repair(chance.fork(`repairer ${which}`))),
      ...[this.#look(chance.fork("reader")), this.#monitor(chance.fork("monitor"))],
      this.#spoil(chance.fork("spoiler")),
    ];
    await this.#timeline.run(() => this.verdict.wrong !== undefined, 20_000);
    this.#weather.calm();
    this.#isOver = true;
    if (!(await within(this.#timeline, this.verdict, Promise.all(working), 120_000)))
      this.verdict.report("I7", "a call was never answered");
    // Whatever is on its way lands.
    await this.#timeline.run(() => false, landsWithinMs);
    if (this.verdict.wrong !== undefined) return;
    if (!(await within(this.#timeline, this.verdict, this.#lastLook(), 120_000)))
      this.verdict.report("I7", "the last look never ended");
  }

  async #write(chance: Chance): Promise<void> {
    while (!this.#isOver) {
      await this.#timeline.sleep(chance.pick([20, 200, 1_000]) * chance.fraction());
      const { crashed, store } = this.#fleet.pick(chance);
      const texts = [1, 2].map(() => `<${++this.#written}>`);
      const records = texts.map((text): AppendRecord => ({ payload: Buffer.from(text), metadata: noMetadata }));
      const segment = chance.pick(segments);
      const ack = chance.pick(["applied", "committed"] as const);
      const id = chance.happens(0.5) ? { transactionId: parseTransactionId(chance.uuid()) } : {};
      const parts = segments.map((name) => ({ segment: name, records }));
      const isTogether = chance.happens(0.3);
      const producing = (async () => {
        if (isTogether) return store.produceAll(space, parts, { ack, ...id });
        const chunks = [];
        for await (const chunk of store.produce(space, segment, records, { ack, ...id })) chunks.push(chunk);
        return chunks;
      })();
      const chunks = await Promise.race([producing.catch((error: unknown) => this.#expected(error)), crashed]);
      for (const { status, transaction } of chunks ?? []) {
        for (const [index, text] of texts.entries()) {
          const sequence = (transaction?.firstSequence ?? 0) + index;
          // Both segments have the same text: one of them is redacted with the other, or neither.
          if (isTogether) continue;
          this.#entries.push({ text, segment: status.segment, sequence, asked: false, redactedAt: Infinity });
        }
      }
    }
  }

  async #redact(chance: Chance): Promise<void> {
    while (!this.#isOver) {
      await this.#timeline.sleep(chance.pick([20, 300, 1_500]) * chance.fraction());
      const left = this.#entries.filter(({ asked }) => !asked);
      if (left.length === 0) continue;
      // The newest are what appliers have in hand.
      const one = chance.happens(0.5) ? (left.at(-1) ?? chance.pick(left)) : chance.pick(left);
      const mates = left.filter((other) => other.segment === one.segment && chance.happens(0.1));
      const some = [...new Set([one, ...mates])];
      for (const entry of some) entry.asked = true;
      while (!this.#hasEnded()) {
        const { crashed, store } = this.#fleet.pick(chance);
        const redacting = store.redact(space, one.segment, some.map(({ sequence }) => sequence)); // prettier-ignore
        const answer = await Promise.race([
          redacting.then(
            () => "redacted" as const,
            (error: unknown) => this.#refused(error),
          ),
          crashed,
        ]);
        if (answer === "redacted") {
          for (const entry of some) entry.redactedAt = this.#timeline.now;
          for (const row of this.#account.rows(table)) this.#check(row, "a redaction left");
          break;
        }
        await this.#timeline.sleep(chance.between(10, 300));
      }
    }
  }

  /** By a repair that may die, and looks at rows that others change. */
  async #repair(chance: Chance): Promise<void> {
    while (!this.#isOver) {
      await this.#timeline.sleep(chance.pick([200, 2_000]) * chance.fraction());
      const { client, crashed } = this.#fleet.pick(chance);
      await Promise.race([this.#fsck(client).catch((error: unknown) => this.#expected(error)), crashed]);
    }
  }

  async #fsck(through: TableAccount): Promise<readonly unknown[]> {
    const scan = (name: string): AsyncIterable<string> =>
      Readable.from(new Set(this.#account.rows(name).map(({ partition }) => partition)));
    const deps = { account: through, scan, compressor: plainCompressor, store: storeId, options: settings };
    return (await fsck(deps, "live")).findings;
  }

  /** Other bytes of the same length come into a block. */
  async #spoil(chance: Chance): Promise<void> {
    const own = this.#account.table(table);
    while (!this.#isOver) {
      await this.#timeline.sleep(chance.between(100, 1_000));
      const partition = segmentPartition(space, chance.pick(segments));
      const rows = this.#account.rows(table).filter((row) => row.partition === partition);
      for (const row of rows) {
        const { d00 } = row.properties;
        if (!(d00 instanceof Uint8Array) || chance.happens(0.4)) continue;
        const spoilt = Buffer.from(d00);
        const at = /<\d+>/.exec(spoilt.toString("latin1"))?.index;
        if (at === undefined) continue;
        spoilt.write("#", at);
        const properties = { ...row.properties, d00: new Uint8Array(spoilt) };
        await own.submit(partition, [{ kind: "replace", row: row.row, properties, ifMatch: row.etag }]);
      }
    }
  }

  async #monitor(chance: Chance): Promise<void> {
    while (!this.#isOver) {
      await this.#timeline.sleep(chance.between(200, 2_000));
      const { crashed, factory } = this.#fleet.pick(chance);
      await Promise.race([factory.recover({ deadlineMs: 2_000 }).catch(() => undefined), crashed]);
    }
  }

  async #look(chance: Chance): Promise<void> {
    while (!this.#isOver) {
      await this.#timeline.sleep(chance.pick([20, 400, 2_000]) * chance.fraction());
      const { crashed, store } = this.#fleet.pick(chance);
      const began = this.#timeline.now;
      const segment = chance.pick(segments);
      const reading = (async () => {
        const found = new Set<string>();
        const isOfSpace = chance.happens(0.5);
        const entries = isOfSpace ? store.consumeSpace(space) : store.consumeSegment(space, segment);
        for await (const { payload } of entries) found.add(Buffer.from(payload).toString());
        const last = await store.peek(space, segment);
        if (last !== undefined) found.add(Buffer.from(last.payload).toString());
        return found;
      })();
      const found = await Promise.race([reading.catch((error: unknown) => this.#expected(error)), crashed]);
      for (const { redactedAt, text } of this.#entries) {
        const isShown = redactedAt < began && found?.has(text) === true;
        this.verdict.check(!isShown, "L4", () => `${text} was redacted, and is read`);
      }
    }
  }

  /** After a repair that nobody disturbs: redacted entries are in their places, the others have their content. */
  async #lastLook(): Promise<void> {
    const { client, store } = this.#fleet.start();
    let findings = await this.#fsck(client);
    for (let tries = 0; tries < 3 && findings.length > 0; tries += 1) findings = await this.#fsck(client);
    this.verdict.check(findings.length === 0, "L7", () => `it is not repaired: ${JSON.stringify(findings)}`);
    for (const row of this.#account.rows(table)) this.#check(row, "in the end there is");
    for (const segment of segments) {
      const stored = new Map<number, string>();
      for await (const { payload, redacted, sequence } of store.consumeSegment(space, segment)) {
        stored.set(sequence, redacted === true ? "redacted" : Buffer.from(payload).toString());
      }
      for (const entry of this.#entries) {
        if (entry.segment !== segment) continue;
        const found = stored.get(entry.sequence);
        const isRight =
          entry.redactedAt < Infinity
            ? found === "redacted"
            : found === entry.text || (entry.asked && found === "redacted");
        this.verdict.check(isRight, "L4", () => `${segment} ${entry.sequence} (${entry.text}) is ${found}`);
      }
    }
  }

  #check({ partition, properties, row }: Row, what: string): void {
    const values = Object.values(properties).filter((value) => value instanceof Uint8Array);
    const bytes = Buffer.concat(values);
    const gone = this.#entries.find(({ redactedAt, text }) => redactedAt < Infinity && bytes.includes(text));
    this.verdict.check(gone === undefined, "L4", () => `${what} ${gone?.text} in ${partition} ${row}`);
  }

  /** It may go better the next time, also where a repair has stopped. */
  #refused(error: unknown): undefined {
    if (error instanceof StoreError && error.code === "corrupt_data") return undefined;
    this.#expected(error);
    return undefined;
  }

  /** Errors of the storage are a caller's to live with. */
  #expected(error: unknown): undefined {
    const codes = ["storage_unavailable", "throttled", "overloaded"];
    const isExpected = (error instanceof StoreError && codes.includes(error.code)) || error instanceof TableFailure;
    this.verdict.check(
      isExpected,
      "I7",
      () => `a call ended with ${error instanceof Error ? error.stack : String(error)}`,
    );
    return undefined;
  }

  #hasEnded(): boolean {
    return this.#isOver;
  }
}

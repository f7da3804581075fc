// The simulated deployment: one account, its queue, instances that come and go, and the watch over every write.

import type { Random } from "../../src/core/clock.ts";
import type { SegmentName, SpaceName } from "../../src/core/ids.ts";
import { parseLeaseHolder, parseStoreId } from "../../src/core/ids.ts";
import type { LogFields, Logger } from "../../src/core/logger.ts";
import { plainCompressor } from "../../src/codec/block.ts";
import { hexKey } from "../../src/codec/lexkey.ts";
import { encodeLease } from "../../src/lease/lease-state.ts";
import { leasesPartition } from "../../src/lease/leases.ts";
import { SimulatedQueues } from "../doubles/simulated-queue.ts";
import { createQueueStatusNotifier } from "../../src/notify/status-notifier.ts";
import type { AzureStoreFactory } from "../../src/store/azure/factory.ts";
import { createAzureStoreFactory } from "../../src/store/azure/factory.ts";
import { resolveOptions } from "../../src/store/azure/instance/options.ts";
import { isDue } from "../../src/store/azure/monitor/overdue-notifications.ts";
import {
  logHeadRow,
  logPartition,
  nameRow,
  openLogRow,
  registryTableName,
  segmentPartition,
  segmentsPartition,
  spacesPartition,
  storeTableName,
} from "../../src/store/azure/rows/keys.ts";
import type { Store } from "../../src/store/store.ts";
import type { Table } from "../../src/table/port.ts";
import type { CompactState } from "../../src/store/azure/compact/compact.ts";
import { compactSpace } from "../../src/store/azure/compact/compact.ts";
import { LogReader } from "../../src/store/azure/log/log-reader.ts";
import type { EffectiveWrite } from "../doubles/simulated-service.ts";
import type { SimulatedRequest } from "../doubles/simulated-table.ts";
import { SimulatedAccount } from "../doubles/simulated-table.ts";
import type { Chance } from "./chance.ts";
import { isWatched, messageSent, nameWritten, segmentWritten } from "./derived-watch.ts";
import { describeError, History } from "./history.ts";
import { LogWatch } from "./log-watch.ts";
import type { Scenario } from "./scenario.ts";
import { epoch, MachineClock, Timeline } from "./timeline.ts";
import { Register, SpaceTruth, Verdict } from "./truth.ts";
import { Weather } from "./weather.ts";

export const storeId = parseStoreId("00112233-4455-6677-8899-aabbccddeeff");
const prefix = "sim";
const queueName = "status";
const witnessName = "witness";
/** A turn of compaction is over after this. */
const compactionMs = 5_000;

export interface Instance {
  readonly name: string;
  readonly clock: MachineClock;
  readonly factory: AzureStoreFactory;
  readonly store: Store;
  /** One turn of compaction. */
  readonly compact: (space: SpaceName) => Promise<CompactState>;
  readonly isMonitor: boolean;
  /** The format of what it writes. */
  readonly format: 1 | 2;
  readonly crash: () => void;
  /** Resolves when it dies. */
  readonly crashed: Promise<"crashed">;
  alive: boolean;
}

/** An instance that writes nothing, in a weather of its own. */
export type Witness = Pick<Instance, "name" | "clock" | "store" | "crash"> & {
  readonly weather: Weather;
  readonly random: Random;
  readonly logger: Logger;
};

export class World {
  readonly timeline = new Timeline();
  readonly verdict = new Verdict();
  readonly register = new Register();
  readonly spaces = new Map<SpaceName, SpaceTruth>();
  readonly instances: Instance[] = [];
  readonly serviceClock: MachineClock;
  readonly weather: Weather;
  readonly history: History;
  readonly scenario: Scenario;
  readonly account: SimulatedAccount;
  readonly #chance: Chance;
  readonly #witnessWeather: Weather;
  readonly #queues: SimulatedQueues;
  readonly #logs: LogWatch[] = [];
  readonly #watchers = new Map<string, (write: EffectiveWrite) => string>();
  #crashes = 0;

  constructor(chance: Chance, scenario: Scenario, keepsHistory: boolean) {
    this.#chance = chance;
    this.scenario = scenario;
    this.history = new History(this.timeline, keepsHistory);
    this.serviceClock = new MachineClock(this.timeline);
    const logs = new Set(scenario.spaces.map(({ name }) => logPartition(name)));
    const inventories = new Set([spacesPartition, ...scenario.spaces.map(({ name }) => segmentsPartition(name))]);
    const weather = (name: string): Weather =>
      new Weather({
        chance: chance.fork(name),
        isLog: (partition) => logs.has(partition),
        isInventory: (partition) => inventories.has(partition),
        crash: (client) => this.#crashByFault(client),
        note: (who, what) => this.history.note(who, what),
      });
    this.weather = weather("weather");
    this.#witnessWeather = weather("weather of the witness");
    this.account = new SimulatedAccount({
      clock: this.serviceClock,
      plan: (request) => {
        // Grants are made by hand: how they are raced for is not judged here.
        if (request.client === "") return undefined;
        this.#noteRecord(request);
        return (request.client === witnessName ? this.#witnessWeather : this.weather).faultOf(request);
      },
    });
    this.#queues = new SimulatedQueues({
      clock: this.serviceClock,
      plan: ({ client }) => this.weather.faultOfMessage(client),
    });
    for (const { name, segments } of scenario.spaces) this.#watch(name, segments);
    this.account.observe((write) => this.#written(write));
  }

  get live(): readonly Instance[] {
    return this.instances.filter(({ alive }) => alive);
  }

  space(name: SpaceName): SpaceTruth {
    return this.spaces.get(name)!;
  }

  start(options: { readonly isMonitor: boolean }): Instance {
    const name = `node${this.instances.length + 1}`;
    const chance = this.#chance.fork(name);
    const { clockDrift, clockOffMs, firstFormatShare, notifies, settings } = this.scenario;
    const off = chance.between(-1, 1) * clockOffMs;
    const clock = new MachineClock(this.timeline, off, chance.between(-1, 1) * clockDrift);
    const format = chance.fork("format").happens(firstFormatShare) ? 1 : 2;
    const client = this.account.connect(name);
    const queues = this.#queues.connect(name);
    const random = this.#identified(name, chance);
    const factory = createAzureStoreFactory({
      account: client,
      notifier: notifies ? createQueueStatusNotifier(queues.queue(queueName)) : undefined,
      compressor: plainCompressor,
      clock,
      random,
      logger: this.#logger(name),
      options: { ...settings, formatVersion: format },
    });
    const ended = Promise.withResolvers<"crashed">();
    const instance: Instance = {
      name,
      clock,
      factory,
      store: factory.open(storeId),
      compact: (space) => this.#compact(instance, client.table(storeTableName(prefix, storeId)), space, random),
      isMonitor: options.isMonitor,
      format,
      crashed: ended.promise,
      alive: true,
      crash: () => {
        if (!instance.alive) return;
        this.history.note(name, () => "CRASH");
        instance.alive = false;
        client.crash();
        queues.crash();
        clock.stop();
        ended.resolve("crashed");
      },
    };
    this.instances.push(instance);
    this.history.note(
      name,
      () => `starts, its clock off by ${Math.round(off)} ms${options.isMonitor ? ", with a monitor" : ""}`,
    );
    return instance;
  }

  witness(chance: Chance): Witness {
    const clock = new MachineClock(this.timeline);
    const client = this.account.connect(witnessName);
    const random: Random = { fraction: () => chance.fraction(), uuid: () => chance.uuid() };
    const logger = this.#logger(witnessName);
    const factory = createAzureStoreFactory({
      ...{ account: client, notifier: undefined, compressor: plainCompressor, clock, random, logger },
      options: this.scenario.settings,
    });
    const crash = (): void => {
      client.crash();
      clock.stop();
    };
    return {
      name: witnessName,
      clock,
      store: factory.open(storeId),
      crash,
      weather: this.#witnessWeather,
      random,
      logger,
    };
  }

  #compact({ clock }: Instance, table: Table, space: SpaceName, random: Random): Promise<CompactState> {
    const until = this.timeline.now + compactionMs;
    const options = resolveOptions(this.scenario.settings);
    const deps = { ...{ table, clock, random, options }, compressor: plainCompressor, onMerged: () => undefined };
    const reader = new LogReader(table, space, plainCompressor);
    return compactSpace({ ...deps, reader, isOver: () => this.timeline.now > until }, space);
  }

  /** A lease passes on to a new holder; answers its token. */
  async grant(key: string): Promise<number> {
    const { granted } = this.register;
    const token = (granted.get(key) ?? 0) + 1;
    granted.set(key, token);
    const table = this.account.table(storeTableName(prefix, storeId));
    const properties = encodeLease({ holder: parseLeaseHolder("holder"), expiresAt: 0, token });
    await table.create();
    await table.submit(leasesPartition, [{ kind: "upsert", row: hexKey(key), properties }]);
    return token;
  }

  /** Takes in the status messages that have arrived. */
  takeMessages(): void {
    for (;;) {
      const text = this.#queues.take(queueName);
      if (text === undefined) return;
      this.history.note("queue", () => text);
      messageSent(text, this.spaces, this.verdict);
    }
  }

  /** Takes a backup: gives how the storage, and what is true of it, goes back to this moment. */
  backup(): () => void {
    this.takeMessages();
    const rows = this.account.snapshot();
    const restores = [...this.spaces.values(), ...this.#logs].map((one) => one.save());
    return () => {
      this.takeMessages();
      this.account.restore(rows);
      for (const restore of restores) restore();
    };
  }

  /** Everything that is not where it belongs yet, in words. */
  unfinished(): string | undefined {
    this.takeMessages();
    for (const space of this.spaces.values()) {
      for (const record of space.records) {
        const missing = space.missingOf(record) ?? (this.scenario.notifies ? space.unnotifiedOf(record) : undefined);
        if (missing !== undefined) return `record ${record.timestamp} of ${space.name}: ${missing}`;
      }
      if (space.pending.size > 0) return `${space.name} lists ${space.pending.size} records as pending`;
      if (space.open) return `${space.name} is still listed as open`;
    }
    return undefined;
  }

  /** When a record's commit is first sent. */
  #noteRecord(request: SimulatedRequest): void {
    if (request.kind !== "submit" || request.writes.length !== 2) return;
    for (const write of request.writes) {
      const id = write.kind === "insert" ? write.properties["id"] : undefined;
      const digits = id instanceof Uint8Array ? Buffer.from(id).toString("hex") : undefined;
      if (digits !== undefined && !this.register.sent.has(digits)) this.register.sent.set(digits, this.timeline.now);
    }
  }

  #crashByFault(client: string): boolean {
    const instance = this.live.find(({ name }) => name === client);
    if (instance === undefined || this.#crashes >= this.scenario.crashesMax) return false;
    this.#crashes += 1;
    instance.crash();
    return true;
  }

  /** The first id an instance draws is its node's. */
  #identified(name: string, chance: Chance): Random {
    let isFirst = true;
    return {
      fraction: () => chance.fraction(),
      uuid: () => {
        const uuid = chance.uuid();
        if (isFirst) this.register.nodes.set(uuid, name);
        isFirst = false;
        return uuid;
      },
    };
  }

  #logger(name: string): Logger {
    const note = (message: string, fields?: LogFields): void =>
      this.history.note(name, () => `  log: ${message} ${describeError(fields?.["error"])}`);
    return { debug: note, info: note, warn: note, error: note };
  }

  #watch(name: SpaceName, segments: readonly SegmentName[]): void {
    const { verdict } = this;
    const table = storeTableName(prefix, storeId);
    const space = new SpaceTruth(name);
    this.spaces.set(name, space);
    const { compactAgainAfterMs } = resolveOptions(this.scenario.settings);
    const log = new LogWatch(space, verdict, this.register, () => this.timeline.now, compactAgainAfterMs);
    this.#logs.push(log);
    const headRow = logHeadRow(name);
    this.#watchers.set(`${table} ${logPartition(name)}`, ({ changes }) => {
      const what = log.written(changes, headRow, Math.max(this.serviceClock.now(), this.timeline.now + epoch));
      isWatched(space, verdict);
      return what;
    });
    for (const segment of segments) {
      const partition = segmentPartition(name, segment);
      this.#watchers.set(`${table} ${partition}`, ({ changes }) =>
        segmentWritten(space.segment(segment), space, partition, changes, verdict),
      );
      const listed = `${table} ${segmentsPartition(name)} ${nameRow(segment)}`;
      this.#watchers.set(listed, ({ changes }) => {
        const truth = space.segment(segment);
        return nameWritten(`segment ${segment}`, truth.length > 0, truth, changes[0]!, verdict);
      });
    }
    this.#watchers.set(`${table} ${spacesPartition} ${nameRow(name)}`, ({ changes }) =>
      nameWritten(`space ${name}`, space.records.length > 0, space, changes[0]!, verdict),
    );
    const registry = registryTableName(prefix);
    const { logIdleMs } = resolveOptions(this.scenario.settings);
    this.#watchers.set(`${registry} ${openLogRow(storeId, name)}`, ({ at, changes }) => {
      space.open = changes[0]?.after !== undefined;
      const ageMs = at - (changes[0]?.before?.writtenAt ?? -Infinity);
      const rested = space.open || isDue(ageMs, logIdleMs);
      verdict.check(rested, "I5", () => `${name} was closed ${ageMs} ms after a writer had registered it`);
      isWatched(space, verdict);
      return `${name} is ${space.open ? "listed as open" : "taken from the list of open logs"}`;
    });
  }

  #written(write: EffectiveWrite): void {
    this.takeMessages();
    const { changes, client, number, partition, table } = write;
    const row = changes.length === 1 ? changes[0]!.row : "";
    if (partition === leasesPartition) return;
    const watcher =
      this.#watchers.get(`${table} ${partition}`) ??
      this.#watchers.get(`${table} ${partition} ${row}`) ??
      this.#watchers.get(`${table} ${row}`);
    if (watcher === undefined) {
      this.verdict.report("I6", `a write that nothing explains: ${table} ${partition} ${row}`);
      return;
    }
    try {
      const what = watcher(write);
      this.history.note(client, () => `  wrote (${number}): ${what}`);
    } catch (error) {
      this.verdict.report("I6", `a row that cannot be read: ${String(error)}`);
    }
  }
}

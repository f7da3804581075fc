// Several processes of the app write and read one store over HTTP, and are killed without warning; then everything is
// judged: what callers were told, what readers saw, what is stored.
//
// Promise: problems are collected, not thrown; a run without problems was judged in full.

import { setTimeout as sleep } from "node:timers/promises";
import { zstdCompressor } from "../../src/codec/zstd.ts";
import { parseStoreId } from "../../src/core/ids.ts";
import { findingText } from "../../src/store/azure/fsck/finding.ts";
import { fsck } from "../../src/store/azure/fsck/fsck.ts";
import type { FsckReport } from "../../src/store/azure/fsck/fsck.ts";
import { parseConnectionString } from "../../src/table/connection.ts";
import { createPartitionScan, createTableAccount } from "../../src/table/sdk.ts";
import type { RunningApp } from "../e2e/app-process.ts";
import { Chance } from "../simulation/chance.ts";
import { systemClock, systemRandom } from "../system.ts";
import { StoreCalls } from "./calls.ts";
import { Fleet } from "./fleet.ts";
import { Ledger } from "./ledger.ts";
import type { Tally, Target } from "./producers.ts";
import { Producers } from "./producers.ts";
import { Reader } from "./readers.ts";

export interface TortureOptions {
  readonly seed: string;
  readonly seconds: number;
  readonly processes: number;
  /** Callers at the same time. */
  readonly callers: number;
  /** Between two kills, milliseconds, on the average; undefined: nobody is killed. */
  readonly killPauseMs: number | undefined;
  /** The storage, as it is once the storm is over. */
  readonly azurite: string;
  /** Called when the storm is over. */
  readonly calm?: () => void;
  readonly start: (env: Readonly<Record<string, string>>) => Promise<RunningApp>;
}

export interface TortureReport {
  readonly problems: readonly string[];
  readonly tally: Tally;
  /** Records by what callers were told in the end. */
  readonly records: ReturnType<Ledger["counts"]>;
  readonly stored: number;
  readonly kills: number;
  /** Pages that readers read meanwhile. */
  readonly pages: number;
  readonly fsck: FsckReport;
}

const graceMs = 1_000;
/** How long the monitors have to finish what the killed left behind. */
const recoverWithinMs = 60_000;

export async function torture(options: TortureOptions): Promise<TortureReport> {
  const chance = new Chance(options.seed);
  const store = chance.uuid();
  const tablePrefix = `torture${chance.integer(0, 0xffffff).toString(16)}x`;
  const fleet = await Fleet.start(options.processes, () => options.start(settingsOf(tablePrefix)));
  try {
    const target: Target = {
      store,
      spaces: ["one", "two/ü", "three 🙂"],
      segmentsPerSpace: 6,
      url: async () => (await fleet.pick(chance)).url,
    };
    const ledger = new Ledger();
    const producers = new Producers(target, ledger, chance.fork("producers"));
    const readers = target.spaces.map((space) => new Reader(target, space, chance.fork(space)));
    await storm(fleet, producers, readers, options, chance.fork("kills"));
    const report = await recovered(fleet, options, store, tablePrefix);
    const { entries, problems } = await judge(await target.url(), store, ledger, readers);
    return {
      problems: [...new Set([...producers.problems, ...problems, ...report.findings.map(findingText)])],
      tally: producers.tally,
      records: ledger.counts(),
      stored: entries,
      kills: fleet.kills,
      pages: readers.reduce((sum, { pages }) => sum + pages, 0),
      fsck: report,
    };
  } finally {
    await fleet.stop();
  }
}

function settingsOf(tablePrefix: string): Record<string, string> {
  return {
    STREAMKIT_TABLE_PREFIX: tablePrefix,
    STREAMKIT_NOTIFICATIONS_QUEUE: tablePrefix,
    STREAMKIT_WAL_GRACE_MS: String(graceMs),
    STREAMKIT_MONITOR_SCHEDULE: "*/3 * * * * *",
    STREAMKIT_LOG_LEVEL: "warn",
  };
}

async function storm(
  fleet: Fleet,
  producers: Producers,
  readers: readonly Reader[],
  { callers, calm, killPauseMs, seconds }: TortureOptions,
  chance: Chance,
): Promise<void> {
  const over = AbortSignal.timeout(seconds * 1_000);
  const written = new AbortController();
  const reading = Promise.all(readers.map((reader) => reader.run(written.signal)));
  try {
    const kills = killPauseMs === undefined ? undefined : fleet.torment(chance, killPauseMs, over);
    await Promise.all([producers.run(callers, over), kills]);
    calm?.();
  } finally {
    written.abort();
    await reading;
  }
}

/** Runs the monitors until nothing is pending any more, and reads what is stored. */
async function recovered(
  fleet: Fleet,
  { azurite }: TortureOptions,
  store: string,
  tablePrefix: string,
): Promise<FsckReport> {
  const connection = parseConnectionString(azurite, "azurite", { allowInsecureHttp: false });
  const parts = { clock: systemClock, random: systemRandom };
  const deps = {
    account: createTableAccount(connection, parts),
    scan: createPartitionScan(connection, parts),
    compressor: zstdCompressor,
    store: parseStoreId(store),
    options: { tablePrefix, walGraceMs: graceMs },
  };
  const giveUpAt = performance.now() + recoverWithinMs;
  for (;;) {
    await sleep(graceMs);
    await fleet.runMonitors();
    await sleep(500);
    const report = await fsck(deps, "none");
    const isDone = report.unapplied + report.unnotified === 0;
    if (isDone || report.findings.length > 0) return report;
    if (performance.now() > giveUpAt) {
      throw new Error(
        `${report.unapplied} records are still not applied, ${report.unnotified} not notified.\n${fleet.logs()}`,
      );
    }
  }
}

/** Everything read afresh, against the ledger, the readers, and itself. */
async function judge(
  url: string,
  store: string,
  ledger: Ledger,
  readers: readonly Reader[],
): Promise<{ readonly entries: number; readonly problems: readonly string[] }> {
  const calls = new StoreCalls(url, store);
  const problems: string[] = [];
  let count = 0;
  const spaces = await calls.spaces();
  if (spaces.join("\n") !== [...ledger.spaces].sort(byUtf8).join("\n"))
    problems.push(`spaces listed: ${spaces.join(", ")}`);
  for (const space of ledger.spaces) {
    const entries = await calls.all(space);
    count += entries.length;
    problems.push(...ledger.judge(space, entries));
    for (const reader of readers.filter((one) => one.space === space)) {
      problems.push(...reader.problems, ...reader.agreesWith(entries));
    }
    const names = [...new Set(entries.map(({ segment }) => segment))].sort(byUtf8);
    const listed = await calls.segments(space);
    if (listed.join("\n") !== names.join("\n")) problems.push(`space ${space}: segments listed: ${listed.join(", ")}`);
    for (const segment of names) {
      const own = JSON.stringify(await calls.all(space, segment));
      const same = own === JSON.stringify(entries.filter((entry) => entry.segment === segment));
      if (!same) problems.push(`space ${space}: segment ${segment} has other entries than its space`);
    }
  }
  return { entries: count, problems };
}

function byUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

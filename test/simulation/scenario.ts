// What a seed runs: names, settings, how many instances and clients, which troubles.

import type { SegmentName, SpaceName } from "../../src/core/ids.ts";
import { parseSegmentName, parseSpaceName } from "../../src/core/ids.ts";
import type { AzureStoreSettings } from "../../src/store/azure/instance/options.ts";
import type { Chance } from "./chance.ts";

export interface Scenario {
  readonly spaces: readonly { readonly name: SpaceName; readonly segments: readonly SegmentName[] }[];
  readonly settings: AzureStoreSettings;
  readonly instances: number;
  readonly producers: number;
  readonly requestsEach: number;
  readonly spaceReaders: number;
  readonly segmentReaders: number;
  /** The longest wait of a producer between two requests. */
  readonly pauseMs: number;
  /** Share of produces without an id of the caller's. */
  readonly keylessShare: number;
  /** Share of produces under a lease's token. */
  readonly leaseShare: number;
  readonly notifies: boolean;
  readonly monitorEveryMs: number;
  /** Monitors run on this share of the instances. */
  readonly monitorShare: number;
  readonly crashesMax: number;
  readonly outages: number;
  /** Clocks of instances: how far off, how fast they drift, how far they are stepped back or ahead. */
  readonly clockOffMs: number;
  readonly clockDrift: number;
  readonly clockStepMs: number;
  /** The service's own clock is set back once, by so much. */
  readonly serviceStepBackMs: number;
  /**
   * The storage goes back, at the end of the troubles, to what it was so long after the beginning; undefined: it never
   * does.
   */
  readonly backupAtMs: number | undefined;
  /** Instances that write the format of the release before, as while a deployment is upgraded. */
  readonly firstFormatShare: number;
  /** Callers that trim segments and spaces. */
  readonly trimmers: number;
  /** Those who compact spaces. */
  readonly compactors: number;
}

// One a prefix of another, and an order that is another one in UTF-16 than in UTF-8.
const spaceNames = ["s", "s1", "s10", "\uffff", "\u{1f600}", "a/b c"].map(parseSpaceName);
const segmentNames = ["s", "s1", "s10", "\uffff", "\u{1f600}", "\ue000", "a/b", "é"].map(parseSegmentName);

/** How much an instance remembers of segments: drawn apart, so that a seed's other draws stay what they were. */
function chooseMemory(chance: Chance): AzureStoreSettings {
  return {
    segmentCacheMax: chance.pick([4, 8, 20_000]),
    viewJournalMax: chance.pick([1, 2, 3, 2_048]),
    viewLookupsMax: chance.pick([1, 2, 2_048]),
  };
}

/** When rows are merged: at once, or after about as long as calls take. */
function chooseCompaction(chance: Chance): AzureStoreSettings {
  return {
    compactAfterMs: chance.pick([0, 50, 1_000]),
    compactAgainAfterMs: chance.pick([500, 3_000, 86_400_000]),
    compactRowsMin: chance.pick([2, 3, 5]),
  };
}

export function chooseScenario(chance: Chance): Scenario {
  const oneOf = (...choices: number[]): number => chance.pick(choices);
  const spaces = chance.shuffled(spaceNames).slice(0, oneOf(1, 1, 2, 3));
  return {
    spaces: spaces.map((name) => ({
      name,
      segments: chance.shuffled(segmentNames).slice(0, oneOf(1, 2, 3, 5)),
    })),
    settings: {
      tablePrefix: "sim",
      settleDelayMs: oneOf(5, 50, 400, 1_000),
      walGraceMs: oneOf(0, 100, 1_000, 3_000),
      logIdleMs: oneOf(0, 300, 1_000, 2_000, 5_000),
      produceTimeoutMs: oneOf(150, 600, 2_000, 6_000, 20_000),
      pendingPerSegmentMax: oneOf(1, 2, 4, 16),
      pendingPerLogMax: oneOf(1, 2, 5, 256),
      unnotifiedListedMax: oneOf(1, 3, 256),
      catchUpRecordsMax: oneOf(1, 2, 5, 500),
      spaceCacheMax: oneOf(1, 500),
      applyWorkers: oneOf(1, 4, 32),
      applyAttemptsMax: oneOf(2, 4, 8),
      batchOperations: oneOf(4, 90),
      queuedProducesMax: oneOf(3, 5_000),
      otherWritersMs: oneOf(0, 500, 5_000),
      leaseKeysMax: chance.fork("leases").pick([1, 2, 64]),
      ...chooseMemory(chance.fork("memory")),
      notificationPauseMs: chance.fork("notifications").pick([0, 100, 1_000]),
      trimTransactionsMax: chance.fork("trim bounds").pick([1, 2, 50, 50]),
      ...chooseCompaction(chance.fork("compaction")),
    },
    instances: chance.integer(2, 5),
    producers: chance.integer(2, 6),
    requestsEach: chance.integer(3, 12),
    spaceReaders: chance.integer(1, 2),
    segmentReaders: 1,
    pauseMs: oneOf(0, 10, 100, 800),
    keylessShare: oneOf(0, 0.25, 0.25, 0.25, 0.9),
    leaseShare: oneOf(0, 0, 0.4),
    notifies: chance.happens(0.7),
    monitorEveryMs: oneOf(200, 1_000, 4_000),
    monitorShare: oneOf(0, 0.5, 1),
    crashesMax: oneOf(0, 1, 3, 6),
    outages: oneOf(0, 0, 1, 3),
    clockOffMs: oneOf(0, 900, 4_000, 4_000, 3_600_000),
    clockDrift: oneOf(0, 0.001, 0.05),
    clockStepMs: oneOf(0, 0, 3_000, 20_000, 3_600_000),
    serviceStepBackMs: oneOf(0, 0, 0, 0, 0, 0, 0, 0, 0, 600_000),
    backupAtMs: chance.happens(0.3) ? chance.pick([0, 100, 1_000, 3_000]) * chance.fraction() : undefined,
    firstFormatShare: oneOf(0, 0, 0.5),
    trimmers: chance.fork("trims").pick([0, 1, 2]),
    compactors: chance.fork("compactors").pick([0, 1, 2]),
  };
}

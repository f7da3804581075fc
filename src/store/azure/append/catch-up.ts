// Brings what a writer holds of its space's log up to the log as it is: by the records since, or from the head alone.

import { StoreError } from "../../../core/errors.ts";
import type { Logger } from "../../../core/logger.ts";
import type { Telemetry } from "../../../core/telemetry.ts";
import type { ServiceClock } from "../../../core/clock.ts";
import type { Applier } from "../apply/applier.ts";
import type { AzureStoreOptions } from "../instance/options.ts";
import type { LogReader, LogVersion } from "../log/log-reader.ts";
import type { LogHead, RecordSummary } from "../rows/log-rows.ts";
import { isPending } from "../rows/pending.ts";
import type { DoneList, Attempt, LogState } from "./log-state.ts";
import type { WriterTurns } from "./turns.ts";

export interface CatchUpDeps {
  readonly reader: Pick<LogReader, "checkLast" | "fateOf" | "readHead" | "readRecordsAt" | "readSince">;
  readonly state: Pick<LogState, "advance" | "attempts" | "restart" | "version">;
  readonly applier: Pick<Applier, "forget" | "forgetAll" | "pendingRecords">;
  readonly done: Pick<DoneList, "clear" | "keep">;
  readonly turns: Pick<WriterTurns, "unmoved">;
  readonly serviceClock: Pick<ServiceClock, "learn">;
  readonly options: Pick<AzureStoreOptions, "catchUpRecordsMax">;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
}

/**
 * The news of a look: own attempts that are in the log, and the records since the last look, as far as they were read.
 */
export interface CaughtUp {
  readonly landed: readonly Attempt[];
  /** Own attempts that are in the log, or were trimmed from it, or never were: nobody can tell any more. */
  readonly unknown: readonly Attempt[];
  readonly records: readonly { readonly summary: RecordSummary }[];
}

/** Dying in here leaves nothing behind: it only reads. */
export async function catchUp(deps: CatchUpDeps): Promise<CaughtUp> {
  const { options, reader, serviceClock, state, turns } = deps;
  const { version } = state;
  if (version === undefined) return restart(deps, await reader.readHead());
  const since = await reader.readSince(version, options.catchUpRecordsMax);
  if (since.kind !== "unmoved" && since.to.head.life !== version.head.life) {
    return restart(deps, since.to, () => forgetLife(deps));
  }
  if (since.kind === "far") return restart(deps, since.to);
  if (since.kind === "went_back") {
    await reader.checkLast(since.to.head);
    return restart(deps, since.to, () => forget(deps, since.to));
  }
  serviceClock.learn(since.kind === "unmoved" ? since.serviceTime : since.to.serviceTime);
  if (since.kind === "unmoved") {
    turns.unmoved();
    return { landed: [], unknown: [], records: [] };
  }
  const landed = state.advance(since.to, since.records);
  prune(deps, since.to.head);
  return { landed, unknown: [], records: since.records };
}

/** Starts from a head alone: what it lists as pending is read, and own attempts are looked up at their places. */
async function restart(
  deps: CatchUpDeps,
  to: LogVersion & { readonly serviceTime: number },
  before: () => void = () => undefined,
): Promise<CaughtUp> {
  const { reader, serviceClock, state } = deps;
  serviceClock.learn(to.serviceTime);
  const pending = await reader.readRecordsAt(to.head.unapplied.listed);
  // These reads begin after the head's: an attempt under another ETag that is not there now never will be.
  const fates = new Map(
    await Promise.all(
      state.attempts.map(async ({ record: { recordId, timestamp } }) => {
        return [recordId, await reader.fateOf(timestamp, recordId)] as const;
      }),
    ),
  );
  before();
  const { landed, unknown } = state.restart(to, pending, fates);
  prune(deps, to.head);
  return { landed, unknown, records: [] };
}

/**
 * The storage went back behind a running instance: what is remembered of the space is of another storage. It is
 * forgotten at once, and said; who waits for a record that is gone is told that its outcome is unknown.
 */
function forget({ applier, done, logger, state, telemetry }: CatchUpDeps, { head }: LogVersion): void {
  logger.warn("the storage went back: what was remembered of the space is forgotten", {
    records: head.count,
    recordsBefore: state.version?.head.count ?? 0,
  });
  telemetry.record("streamkit.storage.went_back", 1);
  applier.forgetAll(
    new StoreError(
      "storage_unavailable",
      "The storage went back to an earlier state while the produce was under way.",
      {
        effect: "unknown",
        retryAfterMs: 1_000,
      },
    ),
  );
  done.clear();
}

/** All that the space had was removed: what is remembered of its segments is of nothing that is there. */
function forgetLife({ applier, done }: CatchUpDeps): void {
  const message = "The space was deleted while the produce was under way.";
  applier.forgetAll(new StoreError("deleted", message, { effect: "unknown" }));
  done.clear();
}

/** Forgets pending records that somebody else has confirmed and settled. */
function prune({ applier, done }: CatchUpDeps, head: LogHead): void {
  for (const record of [...applier.pendingRecords]) {
    if (!isPending(head.unapplied, record.summary.timestamp)) applier.forget(record);
  }
  done.keep(head);
}

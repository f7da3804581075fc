// The options of the Azure backend: every bound and wait with its unit, its default and the reason for it.

import * as z from "zod";

import { invalidArgument } from "../../../core/errors.ts";
import { limits } from "../../../core/limits.ts";
import { listedMax } from "../rows/pending.ts";

function integer(standard: number, min: number, max: number): z.ZodDefault<z.ZodNumber> {
  const error = `an integer from ${min} to ${max}`;
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error }).default(standard);
}
const milliseconds = (standard: number, max: number): z.ZodDefault<z.ZodNumber> => integer(standard, 0, max);
const count = (standard: number, max: number): z.ZodDefault<z.ZodNumber> => integer(standard, 1, max);

const tablePrefixExpected = "1 to 21 letters and digits, a letter first";

/** The one place of their bounds and defaults: a setting of a deployment that is an option takes them from here. */
export const optionsSchema = z.strictObject({
  /**
   * Leads the names of all tables; letters and digits, a letter first. Two deployments in one account need two
   * prefixes.
   */
  tablePrefix: z
    .string({ error: tablePrefixExpected })
    .regex(/^[A-Za-z][A-Za-z0-9]{0,20}$/, { error: tablePrefixExpected })
    .default("streamkit"),
  /**
   * The format of what is written. 2 counts what a space has had and lets data end: trims need it. A row of format 2
   * stays so. 1 is for a deployment during an upgrade, as long as instances run that know only 1.
   */
  formatVersion: z.literal([1, 2], { error: "1 or 2" }).default(2),
  /** Segments that one instance applies at the same time, over all its spaces. */
  applyWorkers: count(32, 256),
  /** Operations and bytes of request body in one entity-group transaction; the service allows 100 and 4 MiB. */
  batchOperations: integer(90, 4, limits.batchOperationsMax),
  batchBytes: integer(3.75 * 1024 * 1024, 2 * 1024 * 1024, limits.batchBytesMax),
  /** Segments whose state an instance keeps in memory, over all its spaces; one to two KiB each. */
  segmentCacheMax: count(20_000, 1_000_000),
  /**
   * Transactions that may be in the journal of a segment's view; one that gets longer is dropped with its view and read
   * again when needed.
   */
  viewJournalMax: count(2_048, 100_000),
  /**
   * Answers of look-ups by id that a segment's view keeps; what is forgotten is looked up again if it is asked for
   * again.
   */
  viewLookupsMax: count(2_048, 100_000),
  /** Spaces whose writer an instance keeps. */
  spaceCacheMax: count(500, 100_000),
  /** A produce that is not committed and applied after this long is answered 503. */
  produceTimeoutMs: integer(20_000, 100, 200_000),
  /** Produces and bytes that wait in one space of one instance; beyond them the caller is told to come back. */
  queuedProducesMax: count(5_000, 100_000),
  queuedBytesMax: count(64 * 1024 * 1024, 1024 * 1024 * 1024),
  /** Committed but not yet applied: transactions of one segment, records of one log. */
  pendingPerSegmentMax: count(16, 256),
  pendingPerLogMax: count(listedMax, listedMax),
  /**
   * Records that a log's head lists one by one as not notified; more than that become a range that the monitor goes
   * through.
   */
  unnotifiedListedMax: count(listedMax, listedMax),
  /** Leases whose greatest token a log's head keeps; a further one takes the place of the one not used for longest. */
  leaseKeysMax: count(limits.leaseKeysPerSpaceMax, limits.leaseKeysPerSpaceMax),
  /** Records a writer reads to catch up with its log; beyond, it forgets what it knew and starts afresh. */
  catchUpRecordsMax: count(500, 10_000),
  /** Attempts to apply one segment before its caller is told and the monitor is left with it. */
  applyAttemptsMax: count(8, 100),
  /** After the last commit, how long until what is done is written off by a request of its own. */
  settleDelayMs: milliseconds(1_000, 60_000),
  /** Transactions of a trim, of one segment or of a log: about 87 rows each. Beyond, the next call goes on. */
  trimTransactionsMax: count(50, 10_000),
  /**
   * Of a space that is written to all the time, how long after a status message the next one comes; 0: as soon as the
   * queue has taken it.
   */
  notificationPauseMs: milliseconds(100, 60_000),
  /**
   * How old the rows of a log are before neighbours are merged: no instance that works looks for single ones any more.
   */
  compactAfterMs: milliseconds(10 * 60_000, 7 * 86_400_000),
  /**
   * How old merged rows are before they are merged once more, and lose the ids of their records: no attempt is looked
   * for any more.
   */
  compactAgainAfterMs: milliseconds(86_400_000, 30 * 86_400_000),
  /** Neighbours that are worth merging: of fewer a row is not made. */
  compactRowsMin: integer(16, 2, 100),
  /** How old a pending record is before the monitor takes it for left behind. */
  walGraceMs: milliseconds(30_000, 3_600_000),
  /** How long a log rests before the monitor stops visiting it. */
  logIdleMs: milliseconds(10 * 60_000, 86_400_000),
  /** How old an undecodable record is before its segments move on without it. */
  tombstoneAfterMs: milliseconds(5 * 60_000, 86_400_000),
  /**
   * How long an instance believes that a store is there, from asking on; the same on all instances. A deletion takes a
   * quarter longer to be answered.
   */
  storeHeldMs: integer(5_000, 100, 60_000),
  /** A request that was sent and not answered has landed by then or never will: nothing on the way keeps it longer. */
  landsWithinMs: milliseconds(5 * 60_000, 86_400_000),
  /** How long another writer of a space is remembered, so that it gets its turn. */
  otherWritersMs: milliseconds(5_000, 60_000),
});

export type AzureStoreOptions = Readonly<z.infer<typeof optionsSchema>>;
export type AzureStoreSettings = Readonly<z.input<typeof optionsSchema>>;

/** Fills in defaults; `invalid_argument` names the option and what it may be. */
export function resolveOptions(settings: AzureStoreSettings = {}): AzureStoreOptions {
  const parsed = optionsSchema.safeParse(settings);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  if (issue?.code === "unrecognized_keys") throw invalidArgument(issue.keys[0] ?? "options", "no option of this name");
  throw invalidArgument(issue?.path.join(".") || "options", issue?.message ?? "valid options");
}

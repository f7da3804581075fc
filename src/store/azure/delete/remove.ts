// Removes the rows of what was deleted, once its time has come: what a job of the monitor does.
//
// Promise: nothing that somebody restored is touched: the tombstone is taken first, under its ETag. By then nothing
// that was sent before the deletion was known everywhere can land any more. Rows go a page at a time, under their
// ETags; whoever dies goes on where rows are left. What stays of a space is the head of its log, which says where it
// ended, and a marker there: so its offsets go on, and whoever comes with an old one is told. What stays of a store is
// its row in the registry.

import type { SegmentName, SpaceName, StoreId } from "../../../core/ids.ts";
import type { Compressor } from "../../../codec/block.ts";
import type { KeyRange, Row, Table, Write } from "../../../table/port.ts";
import type { RemovalResult, RemovalTurn } from "../../store.ts";
import type { AzureStoreOptions } from "../instance/options.ts";
import { LogReader } from "../log/log-reader.ts";
import { rows } from "../read/pages.ts";
import type { Ending } from "../rows/endings.ts";
import {
  lastRecordTimestamp,
  logHeadRow,
  logPartition,
  nameRange,
  nameRow,
  openLogRange,
  recordRange,
  recordRow,
  segmentOfRow,
  segmentPartition,
  segmentsPartition,
  spacesPartition,
} from "../rows/keys.ts";
import type { LogHead } from "../rows/log-rows.ts";
import { decodeLogHead, encodeLogHead } from "../rows/log-rows.ts";
import { encodeLogMarker, isMarker } from "../rows/markers.ts";
import { deletedThrough, nameProperties } from "../rows/name-rows.ts";
import { doneThrough, hasPending, nothingPending } from "../rows/pending.ts";
import { decodeStoreRow, encodeStoreRow, newStore, storeRowKey, storeRowPartition } from "../rows/store-row.ts";

export interface RemovalDeps {
  readonly registry: Table;
  /** The store's, whether it is there or not. */
  readonly table: Table;
  readonly compressor: Compressor;
  readonly options: Pick<AzureStoreOptions, "batchOperations">;
}

export async function removeStore(deps: RemovalDeps, store: StoreId, turn: RemovalTurn): Promise<RemovalResult> {
  const { registry, table } = deps;
  const [partition, key] = [storeRowPartition(store), storeRowKey(store)];
  const { row, serviceTime } = await registry.get(partition, key);
  const stored = row === undefined ? newStore : decodeStoreRow(row);
  const { ending } = stored;
  const early = notYet(ending, serviceTime);
  if (row === undefined || ending === undefined || early !== undefined) return early ?? { state: "live" };
  const put = async (state: Ending["state"], ifMatch: string): Promise<string | undefined> => {
    const properties = encodeStoreRow({ ...stored, ending: { ...ending, state } });
    const result = await registry.submit(partition, [{ kind: "replace", row: key, properties, ifMatch }]);
    return result.kind === "done" ? result.etags[0] : undefined;
  };
  const taken = await put("removing", row.etag);
  const removal = new Removal(registry, deps.options, turn.isOver);
  const more = (): RemovalResult => ({ state: "more", rows: removal.removed });
  if (taken === undefined) return more();
  await table.remove();
  if (!(await removal.range(openLogRange(store)))) return more();
  return (await put("removed", taken)) === undefined ? more() : { state: "done" };
}

/** The work that remains, if nothing is to be done now. */
function notYet(ending: Ending | undefined, now: number): RemovalResult | undefined {
  if (ending === undefined) return { state: "live" };
  if (ending.state === "removed") return { state: "done" };
  return ending.removeAt > now ? { state: "waits", until: ending.removeAt } : undefined;
}

export async function removeSpace(deps: RemovalDeps, space: SpaceName, turn: RemovalTurn): Promise<RemovalResult> {
  const { table } = deps;
  const partition = logPartition(space);
  const removal = new Removal(table, deps.options, turn.isOver);
  const more = (): RemovalResult => ({ state: "more", rows: removal.removed });
  const { row, serviceTime } = await table.get(partition, logHeadRow(space));
  const head = row === undefined ? undefined : decodeLogHead(row);
  const early = notYet(head?.ending, serviceTime);
  if (row === undefined || head?.ending === undefined || early !== undefined) return early ?? { state: "live" };
  const { ending } = head;
  const put = async (next: LogHead, ifMatch: string): Promise<string | undefined> => {
    const write: Write = { kind: "replace", row: logHeadRow(space), properties: encodeLogHead(next), ifMatch };
    const written = await table.submit(partition, [write]);
    return written.kind === "done" ? written.etags[0] : undefined;
  };
  const taken = await put({ ...head, ending: { ...ending, state: "removing" } }, row.etag);
  if (taken === undefined) return more();
  for await (const segment of segmentsOf(deps, space, head)) {
    if (!(await removal.range({ partition: segmentPartition(space, segment), from: "0", to: "g" }))) return more();
    // Only now: what is left is found by its name.
    if (!(await removal.range(only(segmentsPartition(space), nameRow(segment))))) return more();
  }
  if (!(await removeRecords(deps, removal, space, head))) return more();
  if (!(await removal.range(only(spacesPartition, nameRow(space)), isMarked))) return more();
  const removed: LogHead = {
    ...head,
    ending: { ...ending, state: "removed" },
    life: head.count,
    unapplied: nothingPending,
    unnotified: nothingPending,
  };
  return (await put(removed, taken)) === undefined ? more() : { state: "done" };
}

/** Those that are listed, and those of records that are not applied: these may have rows and no name. */
async function* segmentsOf(deps: RemovalDeps, space: SpaceName, head: LogHead): AsyncGenerator<SegmentName> {
  if (hasPending(head.unapplied)) {
    const reader = new LogReader(deps.table, space, deps.compressor);
    let from = doneThrough(head.unapplied, head.timestamp) + 1;
    for (let more = true; more;) {
      const { records } = await reader.readRecordsFrom(from, undefined, pageRows);
      for (const { summary } of records) for (const { segment } of summary.transactions) yield segment;
      more = records.length > 0;
      from = (records.at(-1)?.summary.timestamp ?? 0) + 1;
    }
  }
  for await (const row of rows(deps.table, nameRange(segmentsPartition(space), ""), { select: ["v"] })) {
    yield segmentOfRow(row.row);
  }
}

const pageRows = 100;

/** All of the log but its head; the marker takes the place of the last record, so that nothing is ever behind it. */
async function removeRecords(
  { table }: RemovalDeps,
  removal: Removal,
  space: SpaceName,
  { count, counts, recordId, timestamp }: LogHead,
): Promise<boolean> {
  const partition = logPartition(space);
  if (count === 0) return true;
  const marker = encodeLogMarker({ last: undefined, position: count, recordId, counts });
  await table.submit(partition, [{ kind: "upsert", row: recordRow(timestamp), properties: marker }]);
  const isOther = (row: Row): boolean => row.row !== recordRow(timestamp) || !isMarker(row);
  return removal.range(recordRange(partition, 1, lastRecordTimestamp), isOther);
}

/** A name that is listed is of a life that is there. */
function isMarked(row: Row): boolean {
  return deletedThrough(row) !== undefined;
}

function only(partition: string, row: string): KeyRange {
  return { partition, from: row, to: row };
}

/** Rows of one table that go, and how many went. */
class Removal {
  removed = 0;
  readonly #table: Table;
  readonly #rowsMax: number;
  readonly #isOver: () => boolean;

  constructor(table: Table, { batchOperations }: Pick<AzureStoreOptions, "batchOperations">, isOver: () => boolean) {
    this.#table = table;
    this.#rowsMax = batchOperations;
    this.#isOver = isOver;
  }

  /**
   * All rows of the range that are wanted gone. False: the time of the turn is up, or others write there; some may be
   * left.
   */
  async range(range: KeyRange, isWanted: (row: Row) => boolean = () => true): Promise<boolean> {
    const select = [...new Set([...nameProperties, "k"])];
    let found: Row[] = [];
    for await (const row of rows(this.#table, range, { select, firstRows: this.#rowsMax })) {
      if (isWanted(row)) found.push(row);
      if (found.length < this.#rowsMax) continue;
      if (!(await this.#delete(found))) return false;
      found = [];
      if (this.#isOver()) return false;
    }
    return found.length === 0 || this.#delete(found);
  }

  async #delete(found: readonly Row[]): Promise<boolean> {
    const [first] = found;
    if (first === undefined) return true;
    const writes = found.map(({ etag, row }): Write => ({ kind: "delete", row, ifMatch: etag }));
    const result = await this.#table.submit(first.partition, writes);
    if (result.kind === "refused") return false;
    this.removed += found.length;
    return true;
  }
}

// A local server's folder: a file to which each write of its tables is added as it takes effect, and
// which the next start reads from its beginning.
//
// Promise: what was answered survives the end of the process, however it ended; a write that it died in is there whole
// or not at all. Two servers never share a folder. A power cut may lose the end of it: nothing is flushed for
// it.

import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import { crc32 } from "node:zlib";
import { Refusal } from "../../../../scripts/local/refusal.ts";
import type { Row } from "../../../../src/table/port.ts";
import type { SimulatedAccount } from "../../../../test/doubles/simulated-table.ts";

/** Length and checksum of a record, 4 bytes each. */
const headerBytes = 8;

/** The new state of rows of one partition: rows that exist, and keys that exist no more. */
interface JournalRecord {
  readonly table: string;
  readonly partition: string;
  readonly rows: readonly Row[];
  readonly gone: readonly string[];
}

/** Fills the account with what the folder holds, and adds to the folder what the account is told from now on. */
export function openJournal(folder: string, account: SimulatedAccount): { close(): void } {
  mkdirSync(folder, { recursive: true });
  const lock = takeLock(folder);
  try {
    const path = join(folder, "tables.journal");
    const { tables, records, isWhole } = replay(path);
    let live = 0;
    for (const [table, rows] of tables) {
      account.load(table, [...rows.values()]);
      live += rows.size;
    }
    // Rewritten when most of it is history, and when its end is no record: nothing can be added to that.
    if (!isWhole || records > 2 * live + 1_000) rewrite(path, tables);
    const file = openSync(path, "a");
    const stop = account.observe(({ table, partition, changes }) => {
      const rows = changes.flatMap(({ after }) => (after === undefined ? [] : [after]));
      const gone = changes.flatMap(({ row, after }) => (after === undefined ? [row] : []));
      try {
        append(file, { table, partition, rows, gone });
      } catch (error) {
        // A server that forgets what it has said is worse than none.
        queueMicrotask(() => {
          throw new Refusal(`The folder ${folder} cannot be written any more: ${String(error)}`);
        });
      }
    });
    return {
      close: () => {
        stop();
        closeSync(file);
        rmSync(lock, { force: true });
      },
    };
  } catch (error) {
    rmSync(lock, { force: true });
    throw error;
  }
}

type Tables = Map<string, Map<string, Row>>;

function replay(path: string): { readonly tables: Tables; readonly records: number; readonly isWhole: boolean } {
  const tables: Tables = new Map();
  const data = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  let at = 0;
  let records = 0;
  while (at + headerBytes <= data.length) {
    const end = at + headerBytes + data.readUInt32LE(at);
    const body = data.subarray(at + headerBytes, end);
    if (end > data.length || crc32(body) !== data.readUInt32LE(at + 4)) break;
    const { table, partition, rows, gone } = deserialize(body) as JournalRecord;
    const held = tables.get(table) ?? new Map<string, Row>();
    tables.set(table, held);
    for (const row of rows) held.set(keyOf(partition, row.row), row);
    for (const key of gone) held.delete(keyOf(partition, key));
    at = end;
    records += 1;
  }
  return { tables, records, isWhole: at === data.length };
}

/** By way of a rename, so that a start that is cut short leaves the old file. */
function rewrite(path: string, tables: Tables): void {
  const draft = `${path}.draft`;
  const file = openSync(draft, "w");
  for (const [table, rows] of tables)
    for (const row of rows.values()) append(file, { table, partition: row.partition, rows: [row], gone: [] });
  closeSync(file);
  renameSync(draft, path);
}

function append(file: number, record: JournalRecord): void {
  const body = serialize(record);
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32LE(body.length, 0);
  header.writeUInt32LE(crc32(body), 4);
  const bytes = Buffer.concat([header, body]);
  for (let written = 0; written < bytes.length;) written += writeSync(file, bytes, written);
}

/** Keys hold no NUL: the service does not take one. */
function keyOf(partition: string, row: string): string {
  return `${partition}\u0000${row}`;
}

/** A file with the number of its process, which is how one that a killed server left is told from one that is held. */
function takeLock(folder: string): string {
  const path = join(folder, "in-use-by");
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" });
      return path;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const holder = Number(readFileSync(path, "utf8"));
    if (isAlive(holder))
      throw new Refusal(`The folder ${folder} is in use by process ${holder}: stop that, or choose another folder.`);
    rmSync(path, { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

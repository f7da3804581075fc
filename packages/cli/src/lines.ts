// Reads a file or stdin line by line, and puts lines together to batches that one call takes.
//
// Promise: bounded memory, however long the input is.

import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { StreamRecord } from "streamkit-client";
import { UsageError } from "./failures.ts";
import type { Shell } from "./shell.ts";

/** The most that the service takes as one transaction. */
const batchRecordsMax = 1_000;
const batchBytesMax = 512 * 1024;

export interface RecordSource {
  readonly shell: Shell;
  readonly payloads: readonly string[];
  readonly file: string | undefined;
  readonly isText: boolean;
  readonly metadata: Readonly<Record<string, string>> | undefined;
}

export async function* recordsOf(source: RecordSource): AsyncGenerator<StreamRecord<Uint8Array>, void, undefined> {
  const { shell, payloads, file, isText, metadata } = source;
  if (payloads.length > 0 && file !== undefined) throw new UsageError("Either payloads or --file, not both.");
  const lines = payloads.length > 0 ? payloads : linesOf(file === undefined ? shell.stdin : createReadStream(file));
  let number = 0;
  for await (const line of lines) {
    number += 1;
    if (line === "" && !isText) continue;
    if (!isText) checkJson(line, number);
    yield { payload: Buffer.from(line), metadata };
  }
}

/** Without what ends them. */
export async function* linesOf(input: NodeJS.ReadableStream): AsyncGenerator<string, void, undefined> {
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => undefined);
  input.once("error", (error) => broken.reject(error));
  const lines = createInterface({ input, crlfDelay: Infinity })[Symbol.asyncIterator]();
  for (;;) {
    const next = await Promise.race([lines.next(), broken.promise]);
    if (next.done === true) return;
    yield next.value;
  }
}

export async function* batchesOf<T>(
  items: AsyncIterable<T>,
  bytesOf: (item: T) => number,
): AsyncGenerator<readonly T[], void, undefined> {
  let batch: T[] = [];
  let size = 0;
  for await (const item of items) {
    const more = bytesOf(item);
    if (batch.length > 0 && (batch.length === batchRecordsMax || size + more > batchBytesMax)) {
      yield batch;
      batch = [];
      size = 0;
    }
    batch.push(item);
    size += more;
  }
  if (batch.length > 0) yield batch;
}

/** For what is few. */
export async function all<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

function checkJson(line: string, number: number): void {
  try {
    JSON.parse(line);
  } catch {
    throw new UsageError(`Payload ${number} is not JSON: ${line.slice(0, 60)}. --text takes it as text.`);
  }
}

// Restores the entries of a backup, read in lines as they arrive.

import type { Entry } from "../core/entry.ts";
import type { SpaceName } from "../core/ids.ts";
import { readLines } from "../wire/lines.ts";
import { bodyType, mediaTypesOf } from "../wire/operation.ts";
import { restoreEntries as restoreEntriesOperation } from "../wire/operations/restore.ts";
import type { Encoding } from "../wire/payload.ts";
import { parseRestoredEntry } from "../wire/restore.ts";
import type { RequestBody } from "./body.ts";
import { endpoint, jsonAnswer } from "./endpoint.ts";
import type { Holding } from "./overload.ts";

/** What is held of a request beside its present line: a batch of records, and the record that comes next. */
const heldBytes = 4 * 1_024 * 1_024;

export const restoreEntries = endpoint(restoreEntriesOperation, async (services, call) => {
  const { body, connection, memory, params, query } = call;
  bodyType(call.contentType, mediaTypesOf(restoreEntriesOperation.body));
  memory.take(heldBytes);
  const entries = entriesOf(body, params.space, query.encoding, memory);
  const { signal } = connection;
  const restored = await services.stores.open(params.store).restoreEntries(params.space, entries, { signal });
  return jsonAnswer(JSON.stringify(restored));
});

async function* entriesOf(
  body: RequestBody,
  space: SpaceName,
  encoding: Encoding,
  memory: Holding,
): AsyncGenerator<Entry, void, undefined> {
  let held = 0;
  const hold = (bytes: number): void => {
    if (bytes > held) memory.take(bytes - held);
    else memory.give(held - bytes);
    held = bytes;
  };
  for await (const line of readLines(body.pieces(), hold)) {
    yield parseRestoredEntry(line.text, space, encoding, `line ${line.number}`);
  }
}

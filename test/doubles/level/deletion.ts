// Deletions in a keyspace: a row that says so of a store, and of each space; who asks meanwhile is refused, and the
// rows go when somebody asks after their time is up.

import * as z from "zod";

import type { Clock } from "../../../src/core/clock.ts";
import { deleted } from "../../../src/core/errors.ts";
import type { SpaceName, StoreId } from "../../../src/core/ids.ts";
import type { StoreFacts } from "../../../src/store/catalog.ts";
import type { Deleted, DeletionWish } from "../../../src/store/store.ts";
import { leastName } from "../../../src/codec/cursor.ts";
import type { LevelDatabase } from "./database.ts";
import type { KnownNames } from "./inventory.ts";
import { segmentOfKey, timestampOfKey } from "./keys.ts";
import type { StoreKeys } from "./keys.ts";
import type { KeyChange, Keyspace, Range } from "./keyspace.ts";
import { encodeRow } from "./rows.ts";

/** `isRemoved`: all is gone, and the space may be written again. */
const deletionRow = z.object({ isErased: z.boolean(), removeAt: z.int().min(0), isRemoved: z.boolean() });
type DeletionRow = z.infer<typeof deletionRow>;

/** Of a store: undefined, it is there. */
export async function storeEnding(
  keyspace: Keyspace,
  keys: StoreKeys,
): Promise<Pick<StoreFacts, "state" | "removedFrom"> | undefined> {
  const value = await keyspace.get(keys.deletion(undefined));
  if (value === undefined) return undefined;
  const { isErased, removeAt } = deletionRow.parse(JSON.parse(Buffer.from(value).toString()));
  return isErased ? { state: "removed", removedFrom: undefined } : { state: "deleted", removedFrom: removeAt };
}

export class LevelDeletion {
  readonly #store: StoreId;
  readonly #database: LevelDatabase;
  readonly #keys: StoreKeys;
  readonly #clock: Clock;
  readonly #known: KnownNames;
  /** Removals after which the names of the space were forgotten. */
  readonly #forgotten = new Set<string>();

  constructor(store: StoreId, database: LevelDatabase, keys: StoreKeys, clock: Clock, known: KnownNames) {
    this.#store = store;
    this.#database = database;
    this.#keys = keys;
    this.#clock = clock;
    this.#known = known;
  }

  /** Rejects with `deleted`. A space whose time is up is removed first, and is there again. */
  async check(space?: SpaceName): Promise<void> {
    const ofStore = await this.#read(undefined);
    if (ofStore !== undefined) throw deleted({ store: this.#store }, this.#until(ofStore));
    const ofSpace = space === undefined ? undefined : await this.#read(space);
    if (space === undefined || ofSpace === undefined) return;
    if (ofSpace.isRemoved) {
      const removal = `${space} ${ofSpace.removeAt}`;
      if (!this.#forgotten.has(removal)) this.#known.forget();
      this.#forgotten.add(removal);
      return;
    }
    if (ofSpace.removeAt > this.#clock.now()) throw deleted({ space }, this.#until(ofSpace));
    await this.#database.holdSpace(this.#store, space, () => this.#remove(space, ofSpace));
    await this.check(space);
  }

  async delete(space: SpaceName | undefined, { erase, graceMs }: DeletionWish): Promise<Deleted | undefined> {
    const { keyspace } = this.#database;
    if (space !== undefined) {
      await this.check();
      if ((await keyspace.last(this.#keys.records(space, 0))) === undefined) return undefined;
    }
    const stored = await this.#read(space);
    const before = stored?.isRemoved === true ? undefined : stored;
    const removeAt = erase ? this.#clock.now() : (before?.removeAt ?? this.#clock.now() + graceMs);
    const row: DeletionRow = { isErased: erase || before?.isErased === true, removeAt, isRemoved: false };
    await keyspace.write([{ key: this.#keys.deletion(space), value: Buffer.from(JSON.stringify(row)) }]);
    return { removedFrom: removeAt };
  }

  async restore(space: SpaceName | undefined): Promise<void> {
    if (space !== undefined) await this.check();
    const row = await this.#read(space);
    if (row === undefined || row.isRemoved) return;
    if (row.isErased) throw deleted(space === undefined ? { store: this.#store } : { space });
    await this.#database.keyspace.write([{ key: this.#keys.deletion(space), value: undefined }]);
  }

  /** Spaces whose names are not told. */
  async isHidden(space: SpaceName): Promise<boolean> {
    return (await this.#read(space))?.isRemoved === false;
  }

  #until({ isErased, removeAt }: DeletionRow): number | undefined {
    return isErased ? undefined : removeAt;
  }

  async #read(space: SpaceName | undefined): Promise<DeletionRow | undefined> {
    const value = await this.#database.keyspace.get(this.#keys.deletion(space));
    return value === undefined ? undefined : deletionRow.parse(JSON.parse(Buffer.from(value).toString()));
  }

  /** All at once; the log keeps its end, so that offsets go on. */
  async #remove(space: SpaceName, deletion: DeletionRow): Promise<void> {
    const { keyspace } = this.#database;
    const last = await keyspace.last(this.#keys.records(space, 0));
    const removed = Buffer.from(JSON.stringify({ ...deletion, isRemoved: true }));
    const changes: KeyChange[] = [{ key: this.#keys.deletion(space), value: removed }];
    const drop = async (range: Range): Promise<void> => {
      for await (const page of keyspace.pages(range))
        changes.push(...page.map(({ key }) => ({ key, value: undefined })));
    };
    for await (const page of keyspace.pages(this.#keys.segments(space, undefined))) {
      for (const { key } of page) for (const range of this.#keys.allOf(space, segmentOfKey(key))) await drop(range);
    }
    await drop(this.#keys.segments(space, undefined));
    await drop(this.#keys.records(space, 0));
    changes.push({ key: this.#keys.space(space), value: undefined });
    if (last !== undefined) {
      const end = { timestamp: timestampOfKey(last.key), segment: leastName, sequence: 0 };
      changes.push({ key: this.#keys.trim(space), value: encodeRow(end) });
    }
    await keyspace.write(changes);
  }
}

// An instance's knowledge of one store: that it exists, and which of its spaces do.
//
// Promise: what was deleted is believed to be there for no longer than `storeHeldMs` after the deletion's epoch was
// written: the row of the store is held for so long from the *sending* of its read, by the clock that only moves
// forward; another epoch forgets the spaces. That something is deleted is never held: who is refused has had the rows
// read for him. No request a call; while calls come, one read of the row in four to five seconds, and one of a space's
// head after a change.

import { LRUCache } from "lru-cache";

import type { Clock } from "../../../core/clock.ts";
import { StoreError } from "../../../core/errors.ts";
import type { SpaceName, StoreId } from "../../../core/ids.ts";
import type { Table } from "../../../table/port.ts";
import type { AzureStoreOptions } from "./options.ts";
import { logHeadRow, logPartition } from "../rows/keys.ts";
import { decodeEnding, endedError, endingProperties, isHidden } from "../rows/endings.ts";
import type { StoreRow } from "../rows/store-row.ts";
import { decodeStoreRow, newStore, storeRowKey, storeRowPartition } from "../rows/store-row.ts";

export interface StandingDeps {
  readonly registry: Pick<Table, "get">;
  /** The store's own, as it is: what is asked here is not asked of itself. */
  readonly table: Pick<Table, "get">;
  readonly clock: Pick<Clock, "elapsed">;
  readonly options: Pick<AzureStoreOptions, "storeHeldMs">;
}

/** The row as it was read, and when the read was sent. */
interface Held {
  readonly sentAt: number;
  readonly row: StoreRow;
}

/** Asked again from this part of the time on, beside what goes on: nobody waits while calls come. */
const renewedFrom = 0.8;
/** Reads that take as long as their answer may be held. */
const triesMax = 3;
/** Spaces that are known to be there; one that is forgotten is asked for again. */
const spacesMax = 10_000;

export class StoreStanding {
  readonly store: StoreId;
  readonly #deps: StandingDeps;
  #held: Held | undefined;
  #asking: { readonly sentAt: number; readonly done: Promise<Held> } | undefined;
  /** Spaces that are there, as of the epoch that is held. */
  readonly #there = new LRUCache<SpaceName, true>({ max: spacesMax });

  constructor(store: StoreId, deps: StandingDeps) {
    this.store = store;
    this.#deps = deps;
  }

  /**
   * Undefined: the store, and the space, are known to be there. Else resolves once they are, or rejects with `deleted`.
   */
  check(space?: SpaceName): Promise<void> | undefined {
    const held = this.#valid();
    if (held === undefined) return this.#ask(space);
    const { clock, options } = this.#deps;
    if (clock.elapsed() - held.sentAt >= options.storeHeldMs * renewedFrom) this.#read().catch(() => undefined);
    if (space === undefined || held.row.epoch === 0 || this.#there.has(space)) return undefined;
    return this.#askSpace(space, held.row.epoch);
  }

  /** By a read that is sent now. */
  async confirm(): Promise<void> {
    await this.#live(this.#deps.clock.elapsed());
  }

  #valid(): Held | undefined {
    const { clock, options } = this.#deps;
    const held = this.#held;
    if (held === undefined || held.row.ending !== undefined) return undefined;
    return clock.elapsed() - held.sentAt < options.storeHeldMs ? held : undefined;
  }

  async #ask(space: SpaceName | undefined): Promise<void> {
    const { row } = await this.#live(-Infinity);
    if (space !== undefined && row.epoch > 0 && !this.#there.has(space)) await this.#askSpace(space, row.epoch);
  }

  /** The store's row, which says that it is there, from a read that was sent at this time or later. */
  async #live(sentFrom: number): Promise<Held> {
    const { clock, options } = this.#deps;
    const beganAt = clock.elapsed();
    for (let tries = 0; tries < triesMax;) {
      const held = await this.#read(sentFrom);
      const { ending } = held.row;
      // A read that was sent before may not have seen a restore that this call comes after.
      if (ending !== undefined && held.sentAt >= beganAt) throw endedError({ store: this.store }, ending);
      const isValid = ending === undefined && clock.elapsed() - held.sentAt < options.storeHeldMs;
      if (isValid && held.sentAt >= sentFrom) return held;
      if (held.sentAt >= beganAt) tries += 1;
    }
    throw new StoreError("storage_unavailable", "Whether the store is there could not be read in time.", {
      retryAfterMs: 1_000,
    });
  }

  /** One read for all who ask at the same time; `sentFrom`: none that was sent before will do. */
  #read(sentFrom = -Infinity): Promise<Held> {
    if (this.#asking !== undefined && this.#asking.sentAt >= sentFrom) return this.#asking.done;
    const { clock, registry } = this.#deps;
    const sentAt = clock.elapsed();
    const done = registry
      .get(storeRowPartition(this.store), storeRowKey(this.store))
      .then(({ row }) => this.#take({ sentAt, row: row === undefined ? newStore : decodeStoreRow(row) }))
      .finally(() => {
        if (this.#asking?.done === done) this.#asking = undefined;
      });
    this.#asking = { sentAt, done };
    return done;
  }

  #take(held: Held): Held {
    const before = this.#held;
    if (before !== undefined && before.sentAt > held.sentAt) return held;
    if (before?.row.epoch !== held.row.epoch) this.#there.clear();
    this.#held = held;
    return held;
  }

  /** `epoch` was held before this read is sent: the read shows all that was deleted up to it. */
  async #askSpace(space: SpaceName, epoch: number): Promise<void> {
    const { row } = await this.#deps.table.get(logPartition(space), logHeadRow(space), { select: endingProperties });
    const ending = row === undefined ? undefined : decodeEnding(row);
    if (isHidden(ending)) throw endedError({ space }, ending);
    if (this.#held?.row.epoch === epoch) this.#there.set(space, true);
  }
}

// A storage account that fails on demand: pages that cannot be read, and a process that dies at a commit.

import { hexKey } from "../../src/codec/lexkey.ts";
import { limits } from "../../src/core/limits.ts";
import type { Table, TableAccount, Write } from "../../src/table/port.ts";
import { TableFailure } from "../../src/table/port.ts";

const entryPartitions = hexKey("DAT", "");
const namePartitions = hexKey("INV", "");
const logPartitions = hexKey("DAT", "SPACES", "");

/** So short are pages of names, that a few names are several. */
const namesRowsMax = 5;

/** Counts the pages of entries and of names that are read through it, and fails them. */
export class FaultyQueries {
  read = 0;
  /** Pages that are still answered. */
  left = Infinity;
  readonly #rowsMax: number;

  /** `rowsMax`: no page of entries has more, for an account that does not bound its pages in bytes. */
  constructor(rowsMax: number) {
    this.#rowsMax = rowsMax;
  }

  over(account: TableAccount): TableAccount {
    return mapped(account, (table) => ({
      ...table,
      query: async (range, options) => {
        const isNames = range.partition.startsWith(namePartitions);
        if (!isNames && !range.partition.startsWith(entryPartitions)) return table.query(range, options);
        if (this.left <= 0) throw new TableFailure("unavailable", "The page cannot be read.", { effect: "none" });
        this.left -= 1;
        this.read += 1;
        const rowsMax = isNames ? namesRowsMax : this.#rowsMax;
        return table.query(range, { ...options, top: Math.min(options?.top ?? limits.pageRowsMax, rowsMax) });
      },
    }));
  }
}

/**
 * The way to an account of a process that may die at a commit. Once dead it hears of nothing, and nothing it sends
 * arrives.
 */
export class MortalClient {
  /** Settles when it dies, and not before. */
  readonly died: Promise<void>;
  readonly #die: () => void;
  #plan: { readonly when: "before_commit" | "after_commit"; commits: number } | undefined;
  #dead = false;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.died = promise;
    this.#die = () => resolve(undefined);
  }

  get doomed(): boolean {
    return this.#plan !== undefined;
  }

  crash(when: "before_commit" | "after_commit", commits: number): void {
    this.#plan = { when, commits };
  }

  over(account: TableAccount): TableAccount {
    const living = async <T>(request: () => Promise<T>): Promise<T> => {
      if (this.#isDead()) return silence();
      const answer = await request();
      return this.#isDead() ? silence() : answer;
    };
    return mapped(account, (table) => ({
      get: (...args) => living(() => table.get(...args)),
      query: (...args) => living(() => table.query(...args)),
      create: () => living(() => table.create()),
      remove: () => living(() => table.remove()),
      submit: (partition, writes, options) =>
        living(async () => {
          const plan = this.#plan;
          if (plan === undefined || !isCommit(partition, writes)) return table.submit(partition, writes, options);
          const last = plan.commits === 0;
          if (!last || plan.when === "after_commit") {
            const result = await table.submit(partition, writes, options);
            // A refused attempt is no commit.
            if (result.kind === "refused") return result;
            plan.commits -= 1;
            if (!last) return result;
          }
          this.#dead = true;
          this.#die();
          return silence();
        }),
    }));
  }

  #isDead(): boolean {
    return this.#dead;
  }
}

/** A commit adds a record to a space's log; whatever else is written there changes its head alone. */
function isCommit(partition: string, writes: readonly Write[]): boolean {
  return partition.startsWith(logPartitions) && writes.length > 1;
}

function silence(): Promise<never> {
  return new Promise(() => undefined);
}

/** Tables as functions of their own, so that some of them can be replaced. */
function mapped(account: TableAccount, map: (table: Table) => Table): TableAccount {
  return {
    tableNames: (after, before) => account.tableNames(after, before),
    table: (name) => {
      const table = account.table(name);
      return map({
        get: (...args) => table.get(...args),
        query: (...args) => table.query(...args),
        submit: (...args) => table.submit(...args),
        create: () => table.create(),
        remove: () => table.remove(),
      });
    },
  };
}

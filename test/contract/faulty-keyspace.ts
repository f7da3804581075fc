// A keyspace that fails on demand: the double that stands for a disk that cannot be read and a process that dies.

import type { KeyChange, Keyspace } from "../doubles/level/keyspace.ts";

/** Counts pages and fails them, for everyone who reads through it. */
export class FaultyPages {
  read = 0;
  /** Pages that are still answered. */
  left = Infinity;

  over(keyspace: Keyspace): Keyspace {
    const next = (): void => {
      if (this.left <= 0) throw new Error("The page cannot be read.");
      this.left -= 1;
      this.read += 1;
    };
    return {
      ...keyspace,
      async *pages(range) {
        next();
        for await (const page of keyspace.pages(range)) {
          yield page;
          next();
        }
      },
    };
  }
}

export interface CrashPlan {
  readonly when: "before_commit" | "after_commit";
  /** Writes that still succeed before the one it dies at. */
  commits: number;
}

/** The way to a keyspace of a process that may die at a write. Once dead it reads and writes nothing any more. */
export class MortalWay {
  plan: CrashPlan | undefined;
  #dead = false;

  over(keyspace: Keyspace): Keyspace {
    const alive = (): void => {
      if (this.#dead) throw new Error("The process has died.");
    };
    const write = async (rows: readonly KeyChange[]): Promise<void> => {
      alive();
      const { plan } = this;
      if (plan === undefined || plan.commits > 0) {
        if (plan !== undefined) plan.commits -= 1;
        return keyspace.write(rows);
      }
      this.#dead = true;
      if (plan.when === "after_commit") await keyspace.write(rows);
      alive();
    };
    return {
      async get(key) {
        alive();
        return keyspace.get(key);
      },
      async *pages(range) {
        alive();
        for await (const page of keyspace.pages(range)) {
          alive();
          yield page;
        }
      },
      async last(range) {
        alive();
        return keyspace.last(range);
      },
      write,
      close: () => keyspace.close(),
    };
  }
}

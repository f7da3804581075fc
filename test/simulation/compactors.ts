// Whoever compacts spaces (L6), at any instance, beside everything else: small rows become large ones while they are
// read and trimmed.

import type { SpaceName } from "../../src/core/ids.ts";
import { StoreError } from "../../src/core/errors.ts";
import { TableFailure } from "../../src/table/port.ts";
import type { Chance } from "./chance.ts";
import type { Instance, World } from "./world.ts";

/** Trying again later may help. */
const waits: ReadonlySet<string> = new Set(["storage_unavailable", "throttled"]);

export class Compactors {
  readonly #world: World;
  isOver = false;

  constructor(world: World) {
    this.#world = world;
  }

  async run(chance: Chance): Promise<void> {
    const { scenario, timeline } = this.#world;
    while (!this.isOver) {
      await timeline.sleep(chance.pick([20, 200, 1_000]) * chance.fraction());
      // An instance that may write the first format alone leaves the rows as they are.
      const able = this.#world.live.filter(({ format }) => format === 2);
      if (able.length === 0) continue;
      await this.compact(chance.pick(able), chance.pick(scenario.spaces).name);
    }
  }

  /** Errors of the storage are left to the next turn. */
  async compact(instance: Instance, space: SpaceName): Promise<void> {
    const { history, verdict } = this.#world;
    history.note(instance.name, () => `compacts ${space}`);
    const ended = instance.compact(space).then(
      (state) => {
        history.note(instance.name, () => `compacted ${space}: ${state}`);
        return undefined;
      },
      (error: unknown) => ({ error }),
    );
    const outcome = await Promise.race([ended, instance.crashed]);
    if (outcome === undefined || outcome === "crashed") return;
    const { error } = outcome;
    const isOfTheStorage = error instanceof TableFailure || (error instanceof StoreError && waits.has(error.code));
    verdict.check(isOfTheStorage, "I7", () => `a compaction ended with ${String(error)}`);
  }
}

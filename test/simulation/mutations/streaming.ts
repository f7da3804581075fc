// Mistakes about streams and their producers.

import { azure, playedBySeeds } from "./mutation.ts";
import type { Mutation, Patch } from "./mutation.ts";

const rules = (find: string, replace: string): Patch => ({ file: "src/store/stream-rules.ts", find, replace });

export const streaming: readonly Mutation[] = [
  playedBySeeds(
    "streams",
    "producer-not-looked-up",
    20,
    "an append decided without what is stored of its producer",
    azure("append/view-loader", "return producer === undefined || view.knowsProducer(producer);", "return true;"),
  ),
  playedBySeeds(
    "streams",
    "producer-not-kept",
    20,
    "a producer's place that is not stored with its append",
    azure(
      "apply/applier",
      `for (const [row, state] of producers) used.push({ kind: "upsert", row, properties: encodeProducer(state) });`,
      "",
    ),
  ),
  playedBySeeds(
    "streams",
    "producer-not-in-the-group",
    20,
    "an append that does not see its producer's other one in the same commit",
    azure(
      "append/plan",
      "if (moved !== undefined) this.#tentativeProducers.set(",
      "if (moved !== undefined && moved.id === '') this.#tentativeProducers.set(",
    ),
  ),
  playedBySeeds(
    "streams",
    "producer-not-in-the-journal",
    20,
    "an append that does not see what is committed of its producer and not applied",
    azure(
      "append/log-state",
      "if (moved !== undefined) this.#moved.set(",
      "if (moved !== undefined && moved.id === '') this.#moved.set(",
    ),
  ),
  playedBySeeds(
    "streams",
    "zombie-goes-on",
    20,
    "an older epoch of a producer that still appends",
    rules("if (step.epoch < known.epoch) return answer(", "if (step.epoch < known.epoch && false) return answer("),
  ),
  playedBySeeds(
    "streams",
    "gap-taken",
    20,
    "an append that leaves out others of its producer",
    rules("if (step.sequence !== expected) return answer(", "if (step.sequence < expected) return answer("),
  ),
  playedBySeeds("streams", "appended-behind-the-close", 20, "an append to a stream that is closed", {
    file: "src/core/stream.ts",
    find: "closed: renewed.closed || change.closes,",
    replace: "closed: false,",
  }),
];

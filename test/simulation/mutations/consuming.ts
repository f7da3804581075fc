// Mistakes about consumers and their workers.

import type { Mutation, Patch } from "./mutation.ts";
import { playedBySeeds } from "./mutation.ts";

const mistake = (name: string, seeds: number, said: string, ...patches: Patch[]): Mutation =>
  playedBySeeds("consumers", name, seeds, said, ...patches);
const file = (name: string, find: string, replace: string): Patch => ({
  file: `src/consumers/${name}.ts`,
  find,
  replace,
});

export const consuming: readonly Mutation[] = [
  mistake(
    "older-token-counts",
    200,
    "an acknowledgement of an older token of a partition that counts",
    file(
      "decide",
      "return holder !== undefined && token === claimed.token;",
      "return holder !== undefined && token >= claimed.token;",
    ),
  ),
  mistake(
    "position-goes-back",
    200,
    "a position that goes back to what was acknowledged last",
    file("position", "return laterCursor(least, within);", "return within;"),
    file("decide", 'if (offset > (partition.position[index] ?? "")) return false;', 'if (offset !== "") return false;'),
    file(
      "decide",
      '? offset > (position[index] ?? "") && offset <= (outstanding.to[index] ?? "")',
      '? offset <= (outstanding.to[index] ?? "")',
    ),
  ),
  mistake(
    "taken-under-the-same-token",
    200,
    "a new holder of a partition without a new token",
    file("decide", "...{ token: partition.token + 1, holder: worker,", "...{ token: partition.token, holder: worker,"),
  ),
  mistake(
    "expiry-by-the-instance",
    200,
    "the expiry of a holder judged by the clock of the instance",
    file(
      "view",
      "return { consumer: row.consumer, partitions, now, lookedAt: now, isWhole: true };",
      "return { consumer: row.consumer, partitions, now: instance.parts.clock.now(), lookedAt: now, isWhole: true };",
    ),
  ),
  mistake(
    "parked-without-its-mark",
    200,
    "an entry passed as parked before its mark is written",
    file(
      "settle",
      "const result = await table.submit(consumerPartition(consumer.name), writes);",
      `const result = await table.submit(consumerPartition(consumer.name), writes.slice(0, 1));
    if (result.kind === "done" && writes.length > 1) await table.submit(consumerPartition(consumer.name), writes.slice(1));`,
    ),
  ),
  mistake(
    "replay-forgets-the-order",
    200,
    "new entries of a parked segment delivered before what is parked of it",
    file(
      "batch",
      "const skipped = new Set(marks.filter(({ alone }) => !alone)",
      "const skipped = new Set(marks.filter(({ alone, replayTo }) => !alone && replayTo === 0)",
    ),
    file(
      "deliver",
      "given.marks.filter(({ replayTo }) => replayTo > 0)",
      "given.marks.filter(({ replayTo }) => replayTo > 0 && given.partition.delivery % 2 === 0)",
    ),
  ),
  mistake(
    "mark-goes-with-its-replay",
    200,
    "the mark of a parked segment removed when what was wished for is delivered",
    file(
      "deliver",
      "const rest = mark.alone ? [] : await readParked(reading, mark, partition.position, first);",
      "const rest = (await Promise.resolve([mark])).flatMap(() => [] as PlacedEntry[]);\n  void [reading, first];",
    ),
  ),
  mistake(
    "marks-known-for-ever",
    200,
    "marks that were read once taken for those of every version",
    file("known", "number, partition.marksVersion]);", "number]);"),
  ),
  mistake(
    "written-whatever",
    200,
    "a partition written without the version that it was decided on",
    file("rows", "      ifMatch: etag,", '      ifMatch: etag === "" ? etag : "*",'),
  ),
  mistake(
    "release-taken-for-a-failure",
    200,
    "what is outstanding of a partition that was released counted as failed",
    file(
      "decide",
      "...partition, holder: undefined, expiresAt: 0, outstanding: undefined",
      "...partition, holder: undefined, expiresAt: 0",
    ),
  ),
  mistake(
    "gap-forgotten-untold",
    200,
    "what was trimmed forgotten by the next call, whether or not it was told",
    file(
      "arrive",
      "partition.gap !== undefined && partition.gap.toldIn === delivery;",
      "partition.gap !== undefined && partition.gap.toldIn <= delivery;",
    ),
  ),
  mistake(
    "asked-of-one-more",
    200,
    "a partition asked of a worker that holds one more",
    file("balance", "if (most.length < own + 2) return undefined;", "if (most.length < own + 1) return undefined;"),
  ),
  mistake(
    "asked-and-never-given",
    200,
    "a holder that does not give up what is asked for",
    file("arrive", "if (holding.release || isWanted)", "if (holding.release || (isWanted && partition.token < 0))"),
  ),
  mistake(
    "free-for-anyone",
    200,
    "a partition that was given up taken by who was not asked for it",
    file(
      "arrive",
      'if (partition.holder === undefined && isAskedFor(partition, worker, now)) return { kind: "busy" };',
      "",
    ),
  ),
  mistake(
    "batch-after-a-death",
    200,
    "a whole batch delivered again after a worker died of it",
    file(
      "deliver",
      "const entriesMax = snapshot.partition.single > 0 ? 1 : room.entriesMax;",
      "const { entriesMax } = room;",
    ),
  ),
  mistake(
    "not-before-forgotten",
    200,
    "a partition that is to wait after a failure delivered at once",
    file("deliver", "if (given.partition.notBefore > now || room.entriesMax <= 0", "if (room.entriesMax <= 0"),
  ),
  mistake(
    "reset-keeps-the-tokens",
    200,
    "a consumer set back whose holders go on",
    file(
      "manage",
      "...{ token: token + 1, delivery: delivery + 1, marksVersion },",
      "...{ token, delivery, marksVersion },",
    ),
  ),
];

// Which writers an instance keeps.

import { expect, test } from "vitest";
import { parseSpaceName } from "../../../../src/core/ids.ts";
import { logPartition } from "../../../../src/store/azure/rows/keys.ts";
import { faults } from "../../../doubles/fault.ts";
import { Lab, stuck } from "../../../isolation/lab.ts";

test("calls to one space share one writer, also when all writers that may be kept are busy", async () => {
  const lab = new Lab("one writer");
  const { store } = lab.instance({ settings: { spaceCacheMax: 1 } });
  const [busy, space] = [parseSpaceName("busy"), parseSpaceName("space")];
  for (const of of [space, busy]) await lab.finish(lab.produceTo(store, of, stuck));
  await lab.pass(5_000);
  let commits = 0;
  lab.fault = (request) => {
    if (request.kind !== "submit" || request.writes.length !== 2) return undefined;
    if (request.partition === logPartition(busy)) return faults.answered(400, 400);
    if (request.partition === logPartition(space)) commits += 1;
    return undefined;
  };
  const others = lab.produceTo(store, busy, stuck);
  await lab.pass(20);
  await lab.finish(Promise.all([1, 2, 3].map(() => lab.produceTo(store, space, stuck))));
  // In one group: the first loads what all need.
  expect(commits).toBe(1);
  await lab.finish(others);
});

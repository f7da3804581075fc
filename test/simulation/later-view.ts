// An id is looked up, and before the answer is there the log moves on so far that its segment is looked at anew.
//
// What was read before says nothing of the id now: another instance has used it in between. The seeds meet this too
// seldom.

import type { TransactionId } from "../../src/core/ids.ts";
import { parseSegmentName, parseTransactionId } from "../../src/core/ids.ts";
import { noMetadata } from "../../src/core/entry.ts";
import type { Store } from "../../src/store/store.ts";
import { segmentPartition, transactionRow } from "../../src/store/azure/rows/keys.ts";
import { faults } from "../doubles/fault.ts";
import { Lab, space, stuck } from "../isolation/lab.ts";

const other = parseSegmentName("other");
const id = parseTransactionId("0190a5c4-5b1e-7c3a-9d52-3f0e6a1b2c4d");

/** What is wrong; undefined: nothing. */
export async function laterView(seed: number): Promise<{ readonly wrong: string | undefined }> {
  const lab = new Lab(`later view ${seed}`);
  // Two records behind is too far to catch up with: all that is known of segments goes.
  const [one, two] = [lab.instance({ settings: { catchUpRecordsMax: 1 } }), lab.instance()];
  // All ids of an empty segment are known.
  await lab.produce(two.store, stuck, "first");
  await lab.produce(one.store, other);
  await lab.pass(5_000);
  let lookUps = 0;
  lab.fault = (request) => {
    const isLookUp =
      request.kind === "get" &&
      request.client === one.client.name &&
      request.partition === segmentPartition(space, stuck) &&
      request.row === transactionRow(id);
    if (!isLookUp) return undefined;
    lookUps += 1;
    return lookUps === 1 ? faults.answered(4, 600) : undefined;
  };
  const late = produce(one.store, id);
  await lab.pass(30);
  await lab.finish(produce(two.store, id));
  for (let more = 0; more < 3; more += 1) await lab.produce(two.store, other);
  await lab.produce(one.store, other);
  const isDuplicate = await lab.finish(late);
  const found: string[] = [];
  const read = async (): Promise<void> => {
    for await (const { payload } of one.store.consumeSegment(space, stuck)) found.push(Buffer.from(payload).toString());
  };
  await lab.finish(read());
  if (lookUps === 0) return { wrong: "the simulation itself: the id was not looked up" };
  if (found.length !== 2) return { wrong: `an id was committed ${found.length - 1} times` };
  return { wrong: isDuplicate ? undefined : "a repeat was not told that it is one" };
}

async function produce(store: Store, transactionId: TransactionId): Promise<boolean> {
  const records = [{ payload: Buffer.from("x"), metadata: noMetadata }];
  for await (const { transaction } of store.produce(space, stuck, records, { transactionId })) {
    return transaction?.duplicate === true;
  }
  return false;
}

// One partition changed by who holds it: an acknowledgement, a failure, a release. Without a read, as long as the claim
// carries the row as it is.

import { sleep } from "../core/clock.ts";
import { StoreError } from "../core/errors.ts";
import type { ConsumerName, Cursor } from "../core/ids.ts";
import { TableFailure } from "../table/port.ts";
import { asStoreError } from "../table/store-error.ts";
import type { Claim } from "./claim.ts";
import type { Consumer } from "./consumer.ts";
import { consumerPartition } from "./consumer.ts";
import type { Failure, Judged, Snapshot } from "./decide.ts";
import { acknowledge, fail, isHolder, released, renewed } from "./decide.ts";
import type { ConsumersInstance, StoreParts } from "./known.ts";
import { asStored, writesOf } from "./rows.ts";
import type { View } from "./view.ts";
import { noConsumer, storedView, viewOfClaims } from "./view.ts";

export type Settling =
  | { readonly kind: "acknowledge"; readonly offset: Cursor | undefined; readonly release: boolean }
  | ({ readonly kind: "fail" } & Failure);

export interface Settled {
  readonly verdict: "done" | "over";
  readonly view: View;
  readonly number: number;
  readonly snapshot: Snapshot;
  readonly etag: string;
  /** An entry was parked by it. */
  readonly isParked: boolean;
}

const attemptsMax = 8;
const pauseMs = 10;

/** `lease_held`, never to be tried again, when the partition has another holder. */
export async function settle(
  instance: ConsumersInstance,
  parts: StoreParts,
  name: ConsumerName,
  claim: Claim,
  settling: Settling,
): Promise<Settled> {
  const { clock, random } = instance.parts;
  const number = claim.partition;
  let view = viewOfClaims(instance, parts, name, [claim], "any age");
  for (let attempt = 1; ; attempt += 1) {
    view ??= await storedView(instance, parts, name);
    const { consumer, now } = view;
    const seen = view.partitions.get(number);
    if (seen === undefined) throw noConsumer(name);
    const before = await instance.snapshot(parts, consumer, number, seen.partition, undefined);
    const isOfLife = claim.life === consumer.life;
    const judged = judge(consumer, before, { ...claim, token: isOfLife ? claim.token : -1 }, settling, now);
    // A claim may be long out of date: only the stored rows refuse.
    const isProved = view.isWhole || judged.verdict === "done";
    if (isProved && judged.verdict === "lost") throw passedOn(name, number, before.partition.token, claim.token);
    if (isProved && judged.verdict !== "lost") {
      const after = asStored(before, judged.snapshot);
      const etag = await write(parts, consumer, number, seen.etag, before, after);
      const isParked = after.marks.length > before.marks.length;
      if (etag !== undefined) return { verdict: judged.verdict, view, number, snapshot: after, etag, isParked };
      if (attempt === attemptsMax) {
        throw new StoreError("overloaded", "Too many change this consumer at the same time.", { retryAfterMs: 1_000 });
      }
      await sleep(clock, attempt * pauseMs * random.fraction());
    }
    view = undefined;
  }
}

function judge(rules: Consumer, before: Snapshot, claimed: Claim, settling: Settling, now: number): Judged {
  if (!isHolder(before.partition, claimed)) return { verdict: "lost", snapshot: before };
  const isCurrent = claimed.delivery === before.partition.delivery;
  if (settling.kind === "fail") {
    const { verdict, snapshot } = fail(rules, before, claimed, settling, now);
    return { verdict, snapshot: verdict === "done" ? renewed(snapshot, rules, now) : snapshot };
  }
  const { offset, release } = settling;
  const judged: Judged =
    offset === undefined ? { verdict: "done", snapshot: before } : acknowledge(rules, before, claimed, offset, now);
  if (judged.verdict !== "done") return judged;
  const snapshot = release && isCurrent ? released(judged.snapshot) : renewed(judged.snapshot, rules, now);
  return { verdict: "done", snapshot };
}

/** The row's new ETag, or the former where nothing is to be written; undefined: another changed it. */
async function write(
  { table }: StoreParts,
  consumer: Consumer,
  number: number,
  etag: string,
  before: Snapshot,
  after: Snapshot,
): Promise<string | undefined> {
  if (before.partition === after.partition) return etag;
  try {
    const writes = writesOf(consumer, number, etag, before, after);
    const result = await table.submit(consumerPartition(consumer.name), writes);
    return result.kind === "done" ? (result.etags[0] ?? "") : undefined;
  } catch (error) {
    throw asStoreError(error, error instanceof TableFailure ? error.effect : "unknown");
  }
}

function passedOn(name: ConsumerName, number: number, token: number, received: number): StoreError {
  return new StoreError(
    "lease_held",
    `Partition ${number} of consumer ${JSON.stringify(name)} is no longer held by this claim: expected token ${token}, received ${received}. Forget the claim, and fetch.`,
    { details: { key: name, token, received } },
  );
}

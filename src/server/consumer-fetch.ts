// A worker's fetch: one turn, or, when it asks to wait, one turn after another until there is something for it or its
// time is up.
//
// Promise: a worker that waits keeps what it holds; what is committed to one of its spaces wakes it.

import { StoreError } from "../core/errors.ts";
import type { SpaceName } from "../core/ids.ts";
import type { Telemetry } from "../core/telemetry.ts";
import type { Consumers, Delivery, Fetched } from "../consumers/consumers.ts";
import { EntryWriter } from "../wire/entries.ts";
import type { Encoding } from "../wire/payload.ts";
import { deliveryText } from "../wire/consumers.ts";
import { parseObject } from "../wire/parse.ts";
import { fetchBodySchema } from "../wire/consumer-schemas.ts";
import { consumerFetch as fetchOperation } from "../wire/operations/consumers.ts";
import { bodyText } from "./body.ts";
import { entryOffset, offsetsOf } from "./consumers.ts";
import { endpoint, jsonAnswer } from "./endpoint.ts";
import type { Services } from "./services.ts";
import type { StreamContext } from "./streams.ts";
import { awaitNews } from "./waiting.ts";
import { watchAny } from "./space-watch.ts";
import type { SpaceWatch } from "./space-watch.ts";
import type { Store } from "../store/store.ts";

const entriesDefault = 100;
/**
 * A worker that waits looks at its rows so often, of a lease: it keeps what it holds, and finds what has become free.
 */
const lookLeases = 1 / 3;

export const consumerFetch = endpoint(fetchOperation, async (services, call) => {
  const { store: id, consumer: name } = call.params;
  const body = parseObject(fetchBodySchema, await bodyText(fetchOperation, call));
  const { worker, max = entriesDefault, wait = 0, ack = [], encoding } = body;
  const held = ack.map(({ claim, offset, release = false }) => ({ claim, offset: entryOffset(offset), release }));
  const request = call.headers["Idempotency-Key"] ?? services.random.uuid();
  const { signal } = call.connection;
  const consumers = services.consumers(id);
  const asked = { worker, request, entriesMax: max, signal };
  const first = await consumers.fetch(name, { ...asked, held });
  const isAnswer = wait === 0 || isNews(first);
  const context = { ...call, services };
  const fetched = isAnswer
    ? first
    : await nextTurns(context, services.stores.open(id), first, wait, (former) =>
        consumers.fetch(name, { ...asked, held: former.deliveries.map(({ claim }) => ({ claim, release: false })) }),
      );
  measure(services.telemetry, fetched);
  return jsonAnswer(fetchedText(fetched, encoding));
});

function measure(telemetry: Telemetry, { consumer, deliveries, parked, now }: Fetched): void {
  const by = { "streamkit.consumer": consumer.name };
  for (const { entries, trimmed } of deliveries) {
    const [first] = entries;
    if (trimmed !== undefined) telemetry.record("streamkit.consumers.trimmed", 1, by);
    if (first === undefined) continue;
    telemetry.record("streamkit.consumers.delivered", entries.length, by);
    telemetry.record("streamkit.consumers.lag", Math.max(0, now - first.entry.timestamp) / 1_000, by);
  }
  if (parked > 0) telemetry.record("streamkit.consumers.parked", parked, by);
}

/** Something that the worker has to know at once. */
function isNews({ deliveries, lost, over }: Fetched): boolean {
  return (
    lost.length + over.length > 0 ||
    deliveries.some(({ entries, trimmed }) => entries.length > 0 || trimmed !== undefined)
  );
}

async function nextTurns(
  context: StreamContext,
  store: Store,
  first: Fetched,
  wait: number,
  turn: (former: Fetched) => ReturnType<Consumers["fetch"]>,
): Promise<Fetched> {
  const { services, caller } = context;
  const { clock } = services;
  const { spaces, leaseSeconds } = first.consumer;
  const leaseMs = 1_000 * leaseSeconds * lookLeases;
  const endsAt = clock.elapsed() + Math.min(1_000 * wait, leaseMs);
  const place = services.livePlaces.take(caller, store.id, spaces);
  let watches: readonly SpaceWatch[] = [];
  let fetched = first;
  try {
    watches = await openWatches(services, store, spaces);
    const watch = watchAny(watches);
    let seen = -1;
    for (;;) {
      const { version } = watch;
      // The first turn was before the watch was open.
      if (version !== seen) {
        seen = version;
        fetched = await turn(fetched);
      }
      const left = endsAt - clock.elapsed();
      if (isNews(fetched) || left <= 0 || services.stopping.aborted) return fetched;
      const idleMs = fetched.idleMs ?? Infinity;
      await awaitNews(context, clock.elapsed() + Math.min(left, idleMs), (ms, signal) =>
        watch.changed(version, ms, signal),
      );
      if (idleMs <= left) seen = -1;
    }
  } finally {
    for (const watch of watches) watch.close();
    place.close();
  }
}

/** A space that was deleted has no news; when all were, that is the answer. */
async function openWatches(services: Services, store: Store, spaces: readonly SpaceName[]): Promise<SpaceWatch[]> {
  const watches: SpaceWatch[] = [];
  let deleted: StoreError | undefined;
  try {
    for (const space of spaces) {
      try {
        watches.push(await services.watches.open(store, space));
      } catch (error) {
        if (!(error instanceof StoreError) || error.code !== "deleted") throw error;
        deleted = error;
      }
    }
    if (deleted !== undefined && watches.length === 0) throw deleted;
    return watches;
  } catch (error) {
    for (const watch of watches) watch.close();
    throw error;
  }
}

function fetchedText({ consumer, deliveries, lost, over }: Fetched, encoding: Encoding): string {
  const texts = deliveries.map((delivery) => deliveryText(headOf(consumer, delivery), entriesOf(delivery, encoding)));
  return `{"deliveries":[${texts.join(",")}],"lost":${JSON.stringify(lost)},"over":${JSON.stringify(over)}}`;
}

function headOf(consumer: Fetched["consumer"], { partition, claim, expiresAt, failures, isReplay, trimmed }: Delivery) {
  const gap =
    trimmed === undefined
      ? {}
      : { trimmed: { from: offsetsOf(consumer, trimmed.from), to: offsetsOf(consumer, trimmed.to) } };
  return {
    ...{ partition, claim, expiresAt, ...gap },
    ...(failures === 0 ? {} : { failures }),
    ...(isReplay ? { replay: true as const } : {}),
  };
}

function entriesOf({ entries }: Delivery, encoding: Encoding) {
  const writer = new EntryWriter({ encoding }, false);
  return entries.map(({ entry, key }) => ({ key, text: writer.text(entry) }));
}

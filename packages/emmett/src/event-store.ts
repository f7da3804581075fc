// An Emmett event store over a space: its streams are the segments, the position in a stream is the sequence.
//
// Promise: an append is all or nothing, at the version that is expected or not at all; what it has answered, every read
// sees.

import {
  assertExpectedVersionMatchesCurrent,
  ExpectedVersionConflictError,
  NO_CONCURRENCY_CHECK,
  STREAM_DOES_NOT_EXIST,
  STREAM_EXISTS,
  tryPublishMessagesAfterCommit,
} from "@event-driven-io/emmett";
import type {
  AggregateStreamOptions,
  AggregateStreamResult,
  AppendToStreamOptions,
  AppendToStreamResultWithGlobalPosition,
  DefaultEventStoreOptions,
  Event,
  EventStore,
  ExpectedStreamVersion,
  ReadStreamOptions,
  ReadStreamResult,
} from "@event-driven-io/emmett";
import { isStreamkitError } from "streamkit-client";
import type { Expected, SegmentClient, SpaceClient, SegmentStatus } from "streamkit-client";
import { streamkitConsumer } from "./consumer.ts";
import type { StreamkitConsumer, StreamkitConsumerOptions } from "./consumer.ts";
import { readEvent, storedEvent } from "./stored-event.ts";
import type { StoredEvent, StreamkitReadEvent, StreamkitReadEventMetadata } from "./stored-event.ts";

export interface StreamkitEventStore extends EventStore<StreamkitReadEventMetadata> {
  /** `lastEventGlobalPosition` is where a reader of the space goes on; of an append of nothing it is empty. */
  appendToStream<EventType extends Event, Stored extends Event = EventType>(
    streamName: string,
    events: EventType[],
    options?: AppendToStreamOptions<bigint, EventType, Stored>,
  ): Promise<AppendToStreamResultWithGlobalPosition<bigint, string>>;
  /** Hands what is appended, to all streams, to reactors and projectors. */
  consumer(options?: StreamkitConsumerOptions): StreamkitConsumer;
}

export type StreamkitEventStoreOptions = DefaultEventStoreOptions<StreamkitEventStore>;

/** `space`: with JSON payloads, which is what it has unless it was told otherwise. */
export function getStreamkitEventStore(
  space: SpaceClient<unknown>,
  options: StreamkitEventStoreOptions = {},
): StreamkitEventStore {
  return new SpaceEventStore(space as SpaceClient<StoredEvent>, options);
}

class SpaceEventStore implements StreamkitEventStore {
  readonly #space: SpaceClient<StoredEvent>;
  readonly #options: StreamkitEventStoreOptions;

  constructor(space: SpaceClient<StoredEvent>, options: StreamkitEventStoreOptions) {
    this.#space = space;
    this.#options = options;
  }

  async readStream<EventType extends Event, Stored extends Event = EventType>(
    streamName: string,
    options: ReadStreamOptions<bigint, EventType, Stored> = {},
  ): Promise<ReadStreamResult<EventType, StreamkitReadEventMetadata>> {
    const { from, to, maxCount, expectedStreamVersion, schema } = options;
    const segment = this.#segment(streamName);
    const events: StreamkitReadEvent<EventType>[] = [];
    const bounds = { from: placeOf(from), to: placeOf(to), limit: placeOf(maxCount) };
    for await (const entry of segment.read(bounds)) events.push(readEvent(entry, schema?.versioning?.upcast));
    const isPart = from !== undefined || to !== undefined || maxCount !== undefined;
    const read = events.at(-1)?.metadata.streamPosition;
    // A part says nothing of where the stream ends, and what is not there nothing of whether it was.
    let end = read;
    if (read === undefined || (isPart && expectedStreamVersion !== undefined)) {
      const status = await segment.getStatus();
      // Written since: a state of nothing must not be told with the version of something.
      if (read === undefined && hasWithin(status, bounds)) return this.readStream(streamName, options);
      end = BigInt(status.lastSequence);
    }
    end ??= noVersion;
    assertExpectedVersionMatchesCurrent(end, expectedStreamVersion, noVersion);
    return { events, currentStreamVersion: read ?? end, streamExists: end > noVersion };
  }

  async aggregateStream<State, EventType extends Event, Stored extends Event = EventType>(
    streamName: string,
    options: AggregateStreamOptions<State, EventType, StreamkitReadEventMetadata, Stored>,
  ): Promise<AggregateStreamResult<State>> {
    const { events, currentStreamVersion, streamExists } = await this.readStream<EventType, Stored>(
      streamName,
      options.read,
    );
    const evolve = options.evolve as (state: State, event: StreamkitReadEvent<EventType>) => State;
    const state = events.reduce<State>((before, event) => evolve(before, event), options.initialState());
    return { state, currentStreamVersion, streamExists };
  }

  async appendToStream<EventType extends Event, Stored extends Event = EventType>(
    streamName: string,
    events: EventType[],
    options: AppendToStreamOptions<bigint, EventType, Stored> = {},
  ): Promise<AppendToStreamResultWithGlobalPosition<bigint, string>> {
    const { expectedStreamVersion: wanted = NO_CONCURRENCY_CHECK, schema } = options;
    const segment = this.#segment(streamName);
    if (events.length === 0 || wanted === STREAM_EXISTS) {
      const version = await lastVersion(segment);
      assertExpectedVersionMatchesCurrent(version, wanted, noVersion);
      if (events.length === 0)
        return { nextExpectedStreamVersion: version, createdNewStream: false, lastEventGlobalPosition: "" };
    }
    const downcast = schema?.versioning?.downcast ?? ((event: EventType) => event as unknown as Stored);
    const records = events.map((event) => ({ payload: storedEvent(downcast(event), crypto.randomUUID()) }));
    try {
      const [result] = await this.#space.transact([{ segment: streamName, records, expected: expectedOf(wanted) }]);
      if (result === undefined) throw new Error("The answer to an append tells of no segment.");
      const { firstSequence, lastSequence, offset } = result;
      await this.#publish(segment, firstSequence, lastSequence);
      return {
        nextExpectedStreamVersion: BigInt(lastSequence),
        createdNewStream: firstSequence === 1,
        lastEventGlobalPosition: offset,
      };
    } catch (error) {
      if (!isStreamkitError(error, "sequence_mismatch")) throw error;
      throw new ExpectedVersionConflictError(await lastVersion(segment), wanted);
    }
  }

  async streamExists(streamName: string): Promise<boolean> {
    return (await lastVersion(this.#segment(streamName))) > noVersion;
  }

  consumer(options: StreamkitConsumerOptions = {}): StreamkitConsumer {
    return streamkitConsumer(this.#space as SpaceClient<unknown>, options);
  }

  #segment(streamName: string): SegmentClient<StoredEvent> {
    return this.#space.getSegmentClient(streamName);
  }

  /** With their positions, which the answer to the append has for the last of them alone. */
  async #publish(segment: SegmentClient<StoredEvent>, from: number, to: number): Promise<void> {
    const { hooks } = this.#options;
    if (hooks?.onAfterCommit === undefined) return;
    const committed: StreamkitReadEvent[] = [];
    for await (const entry of segment.read({ from, to })) committed.push(readEvent(entry, undefined));
    await tryPublishMessagesAfterCommit<StreamkitEventStore>(committed, hooks);
  }
}

/** Of a stream that does not exist. */
const noVersion = 0n;

async function lastVersion(segment: SegmentClient<StoredEvent>): Promise<bigint> {
  return BigInt((await segment.getStatus()).lastSequence);
}

/** Whether a segment has events between two places. */
function hasWithin(
  { firstSequence, lastSequence }: SegmentStatus,
  { from = 1, to = Infinity }: { readonly from: number | undefined; readonly to: number | undefined },
): boolean {
  return Math.max(from, firstSequence, 1) <= Math.min(to, lastSequence);
}

function placeOf(position: bigint | undefined): number | undefined {
  return position === undefined ? undefined : Number(position);
}

/** A stream that exists goes on existing: it was looked for before. */
function expectedOf(wanted: ExpectedStreamVersion): Expected {
  if (wanted === STREAM_DOES_NOT_EXIST) return "none";
  return typeof wanted === "bigint" ? Number(wanted) : "any";
}

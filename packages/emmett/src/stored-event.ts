// An Emmett event as the payload of a record, and an entry as an Emmett event.

import type { Event, ReadEvent, ReadEventMetadataWithGlobalPosition } from "@event-driven-io/emmett";
import type { Entry } from "streamkit-client";

export interface StoredEvent {
  readonly id: string;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** Its global position is the offset of the entry: a string that compares as text does. */
export type StreamkitReadEventMetadata = ReadEventMetadataWithGlobalPosition<string>;

export type StreamkitReadEvent<EventType extends Event = Event> = ReadEvent<EventType, StreamkitReadEventMetadata>;

export function storedEvent(event: Event, id: string): StoredEvent {
  const { type, data } = event;
  const { metadata } = event as { readonly metadata?: Readonly<Record<string, unknown>> };
  return { id, type, data, ...(metadata === undefined ? {} : { metadata }) };
}

/** `upcast`: what the application makes of what was stored, whose type it alone knows. */
export function readEvent<EventType extends Event>(
  { payload, segment, sequence, offset }: Entry<StoredEvent>,
  upcast: ((event: never) => EventType) | undefined,
): StreamkitReadEvent<EventType> {
  const { id, type, data, metadata } = payload;
  const own = {
    ...{ messageId: id, streamName: segment, streamPosition: BigInt(sequence), globalPosition: offset },
    // Of a position that is no bigint Emmett takes no notice: it would go by that of the stream, and take other
    // streams' events for handled.
    checkpoint: offset,
  };
  const stored = { kind: "Event", type, data, metadata: { ...metadata, ...own } } as unknown;
  if (upcast === undefined) return stored as StreamkitReadEvent<EventType>;
  const event = upcast(stored as never);
  const given = (event as { readonly metadata?: Readonly<Record<string, unknown>> }).metadata;
  return {
    kind: "Event",
    ...event,
    metadata: { ...metadata, ...given, ...own },
  } as unknown as StreamkitReadEvent<EventType>;
}

// Hands the events of a space, in its one order, to the processors of Emmett.
//
// Promise: each processor gets every event behind its checkpoint, in order. One that throws is closed with its
// checkpoint as it was, and the others go on.

import { projector, reactor } from "@event-driven-io/emmett";
import type {
  AnyEvent,
  AnyMessage,
  DefaultRecord,
  Event,
  MessageConsumer,
  MessageProcessor,
  ProjectorOptions,
  ReactorOptions,
} from "@event-driven-io/emmett";
import type { SpaceClient } from "streamkit-client";
import { readEvent } from "./stored-event.ts";
import type { StoredEvent, StreamkitReadEventMetadata } from "./stored-event.ts";

type Processor = MessageProcessor<AnyMessage, StreamkitReadEventMetadata, DefaultRecord, string>;

export interface StreamkitConsumerOptions {
  readonly consumerId?: string;
}

export interface StreamkitConsumer extends MessageConsumer {
  reactor<MessageType extends AnyMessage = AnyMessage>(
    options: ReactorOptions<MessageType, StreamkitReadEventMetadata, DefaultRecord, string>,
  ): MessageProcessor<MessageType, StreamkitReadEventMetadata, DefaultRecord, string>;
  projector<EventType extends Event = AnyEvent>(
    options: ProjectorOptions<EventType, StreamkitReadEventMetadata, DefaultRecord, string>,
  ): MessageProcessor<EventType, StreamkitReadEventMetadata, DefaultRecord, string>;
}

export function streamkitConsumer(
  space: SpaceClient<unknown>,
  { consumerId = crypto.randomUUID() }: StreamkitConsumerOptions = {},
): StreamkitConsumer {
  const events = space as SpaceClient<StoredEvent>;
  const processors: Processor[] = [];
  let running: { readonly ending: AbortController; readonly ended: Promise<void> } | undefined;
  const add = <Added>(processor: Added): Added => {
    processors.push(processor as Processor);
    return processor;
  };
  const stop = async (): Promise<void> => {
    running?.ending.abort();
    await running?.ended.catch(() => undefined);
  };
  return {
    consumerId,
    get isRunning() {
      return running !== undefined;
    },
    processors,
    reactor: (options) => add(reactor(options)),
    projector: (options) => add(projector(options)),
    start() {
      if (running !== undefined) return running.ended;
      const ending = new AbortController();
      const ended = run(events, processors, ending.signal).finally(() => (running = undefined));
      running = { ending, ended };
      return ended;
    },
    stop,
    async close() {
      await stop();
      for (const processor of processors) await processor.close({});
    },
  };
}

/** Until the signal aborts, or no processor is left; rejects when the last of them has thrown. */
async function run(
  space: SpaceClient<StoredEvent>,
  processors: readonly Processor[],
  abortSignal: AbortSignal,
): Promise<void> {
  if (processors.length === 0) throw new Error("A consumer needs a reactor or a projector before it is started.");
  const starts = await Promise.all(
    processors.map(async (processor) => [processor, await startOf(space, processor)] as const),
  );
  const active = new Map(starts);
  // Within the loop each is given only what is behind its own start.
  const [first = ""] = [...active.values()].sort();
  let failure: { readonly error: unknown } | undefined;
  try {
    for await (const entry of space.follow({ offset: first, abortSignal })) {
      const event = readEvent<AnyEvent>(entry, undefined);
      for (const [processor, start] of active) {
        if (entry.offset <= start) continue;
        try {
          const result = await processor.handle([event], {});
          if (result?.type === "STOP" && result.error !== undefined) failure ??= { error: result.error };
          if (result?.type !== "STOP" && processor.isActive) continue;
        } catch (error) {
          failure ??= { error };
        }
        active.delete(processor);
        await processor.close({});
      }
      if (active.size === 0) break;
    }
  } finally {
    for (const processor of active.keys()) await processor.close({});
  }
  if (failure !== undefined && active.size === 0) throw failure.error;
}

/** The offset behind which it begins. */
async function startOf(space: SpaceClient<StoredEvent>, processor: Processor): Promise<string> {
  const start = await processor.start({});
  if (start === undefined || start === "BEGINNING") return "";
  if (start !== "END") return start.lastCheckpoint;
  let end = "";
  for await (const { offset } of space.read({ last: 1 })) end = offset;
  return end;
}

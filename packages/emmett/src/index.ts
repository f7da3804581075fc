// What the package gives out.

export { getStreamkitEventStore } from "./event-store.ts";
export type { StreamkitEventStore, StreamkitEventStoreOptions } from "./event-store.ts";
export { streamkitCheckpointer } from "./checkpointer.ts";
export type { Checkpoint } from "./checkpointer.ts";
export { streamkitConsumer } from "./consumer.ts";
export type { StreamkitConsumer, StreamkitConsumerOptions } from "./consumer.ts";
export type { StoredEvent, StreamkitReadEvent, StreamkitReadEventMetadata } from "./stored-event.ts";

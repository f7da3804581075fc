// Where a processor has come to, kept in a segment of its own: the last entry is the checkpoint.
//
// Promise: of two processors that store at once one is told that it was not alone: the segment has one entry at each
// place.

import type { AnyMessage, Checkpointer, DefaultRecord } from "@event-driven-io/emmett";
import { getCheckpoint } from "@event-driven-io/emmett";
import { isStreamkitError } from "streamkit-client";
import type { SegmentClient, SpaceClient } from "streamkit-client";
import type { StreamkitReadEventMetadata } from "./stored-event.ts";

/** What an entry of such a segment holds: the offset of the last message that was handled. */
export interface Checkpoint {
  readonly checkpoint: string;
}

/** `space`: another than that of the events, whose readers would see it. */
export function streamkitCheckpointer<
  MessageType extends AnyMessage = AnyMessage,
  Context extends DefaultRecord = DefaultRecord,
>(space: SpaceClient<unknown>): Checkpointer<MessageType, StreamkitReadEventMetadata, Context, string> {
  const segmentOf = (processorId: string, partition: string | undefined): SegmentClient<Checkpoint> =>
    (space as SpaceClient<Checkpoint>).getSegmentClient(JSON.stringify([processorId, partition ?? "default"]));
  return {
    async read({ processorId, partition }) {
      const last = await segmentOf(processorId, partition).getLastEntry();
      return { lastCheckpoint: last?.payload.checkpoint ?? null };
    },

    async store({ message, processorId, lastCheckpoint, partition }) {
      const segment = segmentOf(processorId, partition);
      const checkpoint = getCheckpoint<MessageType, StreamkitReadEventMetadata, string>(message);
      if (checkpoint === null) return { success: false, reason: "IGNORED" };
      for (;;) {
        const last = await segment.getLastEntry();
        const current = last?.payload.checkpoint ?? null;
        if (current === checkpoint) return { success: false, reason: "IGNORED" };
        if (current !== null && current > checkpoint) return { success: false, reason: "CURRENT_AHEAD" };
        if (current !== lastCheckpoint) return { success: false, reason: "MISMATCH" };
        try {
          await segment.append({ payload: { checkpoint } }, { expected: last?.sequence ?? "none" });
          return { success: true, newCheckpoint: checkpoint };
        } catch (error) {
          // Another was first: what it stored decides.
          if (!isStreamkitError(error, "sequence_mismatch")) throw error;
        }
      }
    },
  };
}

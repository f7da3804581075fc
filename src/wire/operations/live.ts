// The call that follows statuses: of one segment of a space, or of all.

import * as z from "zod";

import { statusSchema } from "../entries.ts";
import { segmentPrefixSchema, waitSchema, wantedSegmentSchema } from "../names.ts";
import { operation } from "../operation.ts";
import { inSpace, lastEventId, readErrors } from "../operation-parts.ts";

export const liveStatus = operation({
  id: "liveStatus",
  method: "GET",
  path: "/v1/stores/{store}/spaces/{space}/status",
  access: "read",
  tag: "Consume",
  summary: "The statuses of segments, and how they change",
  description:
    "First the segments that there are, in the order of their names, then those that change. As they are committed: entries can be read in their space at once, in their segment a moment later. A status may come twice, and of several changes of a segment only the last; the entries are consumed with a cursor.",
  params: inSpace,
  query: z.strictObject({
    segment: wantedSegmentSchema.default("*" as z.output<typeof wantedSegmentSchema>).meta({
      description: "One segment; `*`: all of them, or those that `prefix` says.",
      examples: ["*"],
    }),
    prefix: segmentPrefixSchema.optional(),
    cursor: z.string().optional().meta({ description: "`next` of the answer before: what has come since." }),
    wait: waitSchema.optional(),
  }),
  headers: lastEventId,
  status: 200,
  answer: {
    "application/json": {
      schema: z.object({
        statuses: z.array(statusSchema),
        next: z.string().meta({ description: "The `cursor` to go on with; always given." }),
        unreadable: z
          .array(z.object({ segment: z.string(), reason: z.string() }))
          .optional()
          .meta({
            description:
              "Segments whose statuses cannot be read, if there are any: `statuses` is without them. `npm run fsck` says what is wrong.",
          }),
      }),
    },
    "text/event-stream": {
      schema: z.string(),
      description:
        "One event a status; `event: live` when all that there were have been told, `event: heartbeat` while nothing comes, each with `next`; `event: unreadable` for a segment whose status cannot be read, with `segment` and `reason`. `id` is where to go on (Last-Event-ID). Ended by the server from time to time: `event: end`, then reconnect. A failure is `event: problem`.",
    },
  },
  errors: readErrors,
});

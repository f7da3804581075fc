// The statuses of segments, and how they change.
import { registerOperation } from "../src/functions-app.ts";
import { liveStatus as handler } from "../src/server/live-status.ts";
import { liveStatus as operation } from "../src/wire/operations-live.ts";

registerOperation(operation, handler);

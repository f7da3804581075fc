// The statuses of segments, and how they change.
import { registerOperation } from "../src/functions-app.ts";
import { liveStatus } from "../src/server/live-status.ts";

registerOperation(liveStatus);

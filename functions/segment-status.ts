// Where a segment begins and ends.
import { registerOperation } from "../src/functions-app.ts";
import { segmentStatus } from "../src/server/consume.ts";

registerOperation(segmentStatus);

// Removes the oldest entries of a segment.
import { registerOperation } from "../src/functions-app.ts";
import { trimSegment } from "../src/server/manage.ts";

registerOperation(trimSegment);

// Reads a segment, by sequence.
import { registerOperation } from "../src/functions-app.ts";
import { consumeSegment } from "../src/server/consume.ts";

registerOperation(consumeSegment);

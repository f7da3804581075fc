// Reads a segment, by sequence.
import { registerOperation } from "../src/functions-app.ts";
import { consumeSegment as handler } from "../src/server/consume.ts";
import { consumeSegment as operation } from "../src/wire/operations.ts";

registerOperation(operation, handler);

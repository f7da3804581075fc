// The last entry of a segment.
import { registerOperation } from "../src/functions-app.ts";
import { peek } from "../src/server/consume.ts";

registerOperation(peek);

// Appends records to a segment.
import { registerOperation } from "../src/functions-app.ts";
import { produce } from "../src/server/produce.ts";

registerOperation(produce);

// Appends records to several segments of a space, all or nothing.
import { registerOperation } from "../src/functions-app.ts";
import { produceAll } from "../src/server/produce.ts";

registerOperation(produceAll);

// Appends records to several segments of a space, all or nothing.
import { registerOperation } from "../src/functions-app.ts";
import { produceAll as handler } from "../src/server/produce.ts";
import { produceAll as operation } from "../src/wire/operations.ts";

registerOperation(operation, handler);

// Appends records to a segment.
import { registerOperation } from "../src/functions-app.ts";
import { produce as handler } from "../src/server/produce.ts";
import { produce as operation } from "../src/wire/operations.ts";

registerOperation(operation, handler);

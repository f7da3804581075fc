// Reads a space, by timestamp.
import { registerOperation } from "../src/functions-app.ts";
import { consumeSpace as handler } from "../src/server/consume.ts";
import { consumeSpace as operation } from "../src/wire/operations.ts";

registerOperation(operation, handler);

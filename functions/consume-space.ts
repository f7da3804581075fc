// Reads a space, by timestamp.
import { registerOperation } from "../src/functions-app.ts";
import { consumeSpace } from "../src/server/consume.ts";

registerOperation(consumeSpace);

// Reads several spaces, merged by timestamp.
import { registerOperation } from "../src/functions-app.ts";
import { consume as handler } from "../src/server/consume.ts";
import { consume as operation } from "../src/wire/operations.ts";

registerOperation(operation, handler);

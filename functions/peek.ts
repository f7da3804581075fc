// The last entry of a segment.
import { registerOperation } from "../src/functions-app.ts";
import { peek as handler } from "../src/server/consume.ts";
import { peek as operation } from "../src/wire/operations.ts";

registerOperation(operation, handler);

// Where a segment begins and ends.
import { registerOperation } from "../src/functions-app.ts";
import { segmentStatus as handler } from "../src/server/consume.ts";
import { segmentStatus as operation } from "../src/wire/operations.ts";

registerOperation(operation, handler);

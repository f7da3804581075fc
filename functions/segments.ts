// The names of the segments of a space.
import { registerOperation } from "../src/functions-app.ts";
import { segments as handler } from "../src/server/names.ts";
import { segments as operation } from "../src/wire/operations.ts";

registerOperation(operation, handler);

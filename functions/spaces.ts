// The names of the spaces of a store.
import { registerOperation } from "../src/functions-app.ts";
import { spaces as handler } from "../src/server/names.ts";
import { spaces as operation } from "../src/wire/operations.ts";

registerOperation(operation, handler);

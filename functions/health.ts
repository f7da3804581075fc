// Whether the service answers.
import { registerOperation } from "../src/functions-app.ts";
import { health as handler } from "../src/server/system.ts";
import { health as operation } from "../src/wire/operations.ts";

registerOperation(operation, handler);

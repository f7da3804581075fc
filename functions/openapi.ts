// The OpenAPI document.
import { registerOperation } from "../src/functions-app.ts";
import { openapi as handler } from "../src/server/system.ts";
import { openapi as operation } from "../src/wire/operations.ts";

registerOperation(operation, handler);

// The OpenAPI document.
import { registerOperation } from "../src/functions-app.ts";
import { openapi } from "../src/server/system.ts";

registerOperation(openapi);

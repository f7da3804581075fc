// Sets a consumer back, or ahead.
import { registerOperation } from "../src/functions-app.ts";
import { consumerReset } from "../src/server/consumers.ts";

registerOperation(consumerReset);

// Whether the service answers.
import { registerOperation } from "../src/functions-app.ts";
import { health } from "../src/server/system.ts";

registerOperation(health);

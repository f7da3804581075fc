// The consumers of a store.
import { registerOperation } from "../src/functions-app.ts";
import { consumers } from "../src/server/consumers.ts";

registerOperation(consumers);

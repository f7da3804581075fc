// Tells what is known of a store.
import { registerOperation } from "../src/functions-app.ts";
import { storeGet } from "../src/server/stores.ts";

registerOperation(storeGet);

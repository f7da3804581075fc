// Labels a store.
import { registerOperation } from "../src/functions-app.ts";
import { storePut } from "../src/server/stores.ts";

registerOperation(storePut);

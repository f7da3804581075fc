// How long entries are kept in the spaces of a store.
import { registerOperation } from "../src/functions-app.ts";
import { storeRetentionGet } from "../src/server/retention.ts";

registerOperation(storeRetentionGet);

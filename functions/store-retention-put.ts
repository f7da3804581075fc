// Says how long entries are kept in the spaces of a store.
import { registerOperation } from "../src/functions-app.ts";
import { storeRetentionPut } from "../src/server/retention.ts";

registerOperation(storeRetentionPut);

// Ends the policy of a store.
import { registerOperation } from "../src/functions-app.ts";
import { storeRetentionDelete } from "../src/server/retention.ts";

registerOperation(storeRetentionDelete);

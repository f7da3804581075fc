// Restores a store that was deleted.
import { registerOperation } from "../src/functions-app.ts";
import { restoreStore } from "../src/server/manage.ts";

registerOperation(restoreStore);

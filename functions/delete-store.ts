// Deletes a store.
import { registerOperation } from "../src/functions-app.ts";
import { deleteStore } from "../src/server/manage.ts";

registerOperation(deleteStore);

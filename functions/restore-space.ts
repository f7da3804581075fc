// Restores a space that was deleted.
import { registerOperation } from "../src/functions-app.ts";
import { restoreSpace } from "../src/server/manage.ts";

registerOperation(restoreSpace);

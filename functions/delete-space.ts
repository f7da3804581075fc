// Deletes a space.
import { registerOperation } from "../src/functions-app.ts";
import { deleteSpace } from "../src/server/manage.ts";

registerOperation(deleteSpace);

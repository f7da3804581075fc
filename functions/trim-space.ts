// Removes the oldest entries of a space.
import { registerOperation } from "../src/functions-app.ts";
import { trimSpace } from "../src/server/manage.ts";

registerOperation(trimSpace);

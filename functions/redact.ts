// Removes payload and metadata of single entries.
import { registerOperation } from "../src/functions-app.ts";
import { redact } from "../src/server/manage.ts";

registerOperation(redact);

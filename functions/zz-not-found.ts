// Answers what no other function takes. Its name must sort last.
import { registerNotFound } from "../src/functions-app.ts";
import { notFound } from "../src/server/system.ts";

registerNotFound(notFound);

// The interface as a page to read and try.
import { registerOpen } from "../src/functions-app.ts";
import { docs, docsPath } from "../src/server/docs.ts";

registerOpen("docs", docsPath, docs);

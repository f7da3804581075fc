// The interface as a page to read and try.
import { registerPage } from "../src/functions-app.ts";
import { docs, docsPath } from "../src/server/docs.ts";

registerPage("docs", docsPath, docs);

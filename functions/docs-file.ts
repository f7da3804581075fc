// The files of the page at /docs; the build puts them beside the bundle.
import { registerOpen } from "../src/functions-app.ts";
import { docsFile, docsFilePath } from "../src/server/docs.ts";

registerOpen("docsFile", docsFilePath, docsFile(new URL("../docs/", import.meta.url)));

// A segment or a stream, read by a signed link.
import { registerOpen } from "../src/functions-app.ts";
import { readByLink } from "../src/server/read-links.ts";
import { readLinkPath } from "../src/wire/read-link.ts";

registerOpen("readByLink", readLinkPath, readByLink);

// How long entries of a space are kept.
import { registerOperation } from "../src/functions-app.ts";
import { spaceRetentionGet } from "../src/server/retention.ts";

registerOperation(spaceRetentionGet);

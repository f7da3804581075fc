// Says how long entries of a space are kept.
import { registerOperation } from "../src/functions-app.ts";
import { spaceRetentionPut } from "../src/server/retention.ts";

registerOperation(spaceRetentionPut);

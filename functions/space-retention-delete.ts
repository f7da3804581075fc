// Ends the policy of a space.
import { registerOperation } from "../src/functions-app.ts";
import { spaceRetentionDelete } from "../src/server/retention.ts";

registerOperation(spaceRetentionDelete);

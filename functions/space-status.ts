// Tells how much a space holds.
import { registerOperation } from "../src/functions-app.ts";
import { spaceStatus } from "../src/server/names.ts";

registerOperation(spaceStatus);

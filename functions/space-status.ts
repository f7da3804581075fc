// What there is of a space.
import { registerOperation } from "../src/functions-app.ts";
import { spaceStatus } from "../src/server/names.ts";

registerOperation(spaceStatus);

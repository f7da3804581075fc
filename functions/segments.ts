// The names of the segments of a space.
import { registerOperation } from "../src/functions-app.ts";
import { segments } from "../src/server/names.ts";

registerOperation(segments);

// The names of the spaces of a store.
import { registerOperation } from "../src/functions-app.ts";
import { spaces } from "../src/server/names.ts";

registerOperation(spaces);

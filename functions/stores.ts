// Lists the stores of this deployment.
import { registerOperation } from "../src/functions-app.ts";
import { stores } from "../src/server/stores.ts";

registerOperation(stores);

// Lists what a consumer has parked.
import { registerOperation } from "../src/functions-app.ts";
import { consumerParked } from "../src/server/consumers.ts";

registerOperation(consumerParked);

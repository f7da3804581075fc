// Removes a consumer.
import { registerOperation } from "../src/functions-app.ts";
import { consumerDelete } from "../src/server/consumers.ts";

registerOperation(consumerDelete);

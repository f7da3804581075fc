// Acknowledges what a worker of a consumer has done.
import { registerOperation } from "../src/functions-app.ts";
import { consumerAck } from "../src/server/consumers.ts";

registerOperation(consumerAck);

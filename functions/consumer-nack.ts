// Takes an entry for failed that a worker of a consumer could not handle.
import { registerOperation } from "../src/functions-app.ts";
import { consumerNack } from "../src/server/consumers.ts";

registerOperation(consumerNack);

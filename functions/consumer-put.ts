// Makes a consumer, or changes its rules.
import { registerOperation } from "../src/functions-app.ts";
import { consumerPut } from "../src/server/consumers.ts";

registerOperation(consumerPut);

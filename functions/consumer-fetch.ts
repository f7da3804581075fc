// Gives a worker of a consumer what comes next.
import { registerOperation } from "../src/functions-app.ts";
import { consumerFetch } from "../src/server/consumer-fetch.ts";

registerOperation(consumerFetch);

// How a consumer stands.
import { registerOperation } from "../src/functions-app.ts";
import { consumerGet } from "../src/server/consumers.ts";

registerOperation(consumerGet);

// Replays or drops what a consumer has parked.
import { registerOperation } from "../src/functions-app.ts";
import { consumerSettle } from "../src/server/consumers.ts";

registerOperation(consumerSettle);

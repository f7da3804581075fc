// The subscriptions of a store.
import { registerOperation } from "../src/functions-app.ts";
import { subscriptions } from "../src/server/subscriptions.ts";

registerOperation(subscriptions);

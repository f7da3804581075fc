// Unsubscribes.
import { registerOperation } from "../src/functions-app.ts";
import { subscriptionDelete } from "../src/server/subscriptions.ts";

registerOperation(subscriptionDelete);

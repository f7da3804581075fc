// Subscribes to changes of status.
import { registerOperation } from "../src/functions-app.ts";
import { subscriptionPut } from "../src/server/subscriptions.ts";

registerOperation(subscriptionPut);

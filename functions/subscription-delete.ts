// Unsubscribes.
import { registerOperation } from "../src/functions-app.ts";
import { subscriptionDelete as handler } from "../src/server/subscriptions.ts";
import { subscriptionDelete as operation } from "../src/wire/operations-subscriptions.ts";

registerOperation(operation, handler);

// Subscribes to changes of status.
import { registerOperation } from "../src/functions-app.ts";
import { subscriptionPut as handler } from "../src/server/subscriptions.ts";
import { subscriptionPut as operation } from "../src/wire/operations-subscriptions.ts";

registerOperation(operation, handler);

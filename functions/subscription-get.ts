// A subscription, and how its deliveries go.
import { registerOperation } from "../src/functions-app.ts";
import { subscriptionGet as handler } from "../src/server/subscriptions.ts";
import { subscriptionGet as operation } from "../src/wire/operations-subscriptions.ts";

registerOperation(operation, handler);

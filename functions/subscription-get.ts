// A subscription, and how its deliveries go.
import { registerOperation } from "../src/functions-app.ts";
import { subscriptionGet } from "../src/server/subscriptions.ts";

registerOperation(subscriptionGet);

// The subscriptions of a store.
import { registerOperation } from "../src/functions-app.ts";
import { subscriptions as handler } from "../src/server/subscriptions.ts";
import { subscriptions as operation } from "../src/wire/operations-subscriptions.ts";

registerOperation(operation, handler);

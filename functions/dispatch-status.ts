// Gives each status notification to the subscriptions that want it.
import { app } from "@azure/functions";

import { dispatch, settings } from "../src/runtime.ts";

const { connection, notificationsQueue: queueName } = settings;
if (queueName !== undefined) {
  app.storageQueue("dispatchStatus", { queueName, connection: connection.setting, handler: dispatch });
}

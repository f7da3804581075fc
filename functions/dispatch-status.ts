// Gives each status notification to the subscriptions that want it.
import { app } from "@azure/functions";

import { registerBackground } from "../src/functions-app.ts";

registerBackground(({ settings, dispatch }) => {
  const { connection, notificationsQueue: queueName } = settings;
  if (queueName === undefined) return;
  app.storageQueue("dispatchStatus", { queueName, connection: connection.setting, handler: dispatch });
});

// Tries again what could not be delivered: in a queue of its own, so that it holds up nothing that comes for the first
// time.
import { app } from "@azure/functions";

import { registerBackground } from "../src/functions-app.ts";

registerBackground(({ settings, dispatch }) => {
  const { connection, retriesQueue: queueName } = settings;
  if (queueName === undefined) return;
  app.storageQueue("retryStatus", { queueName, connection: connection.setting, handler: dispatch });
});

// Tries again what could not be delivered: in a queue of its own, so that it holds up nothing that comes for the first time.
import { app } from "@azure/functions";

import { dispatch, settings } from "../src/runtime.ts";

const { connection, retriesQueue: queueName } = settings;
if (queueName !== undefined) {
  app.storageQueue("retryStatus", { queueName, connection: connection.setting, handler: dispatch });
}

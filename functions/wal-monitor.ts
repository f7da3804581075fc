// Finishes what writers left behind.
import { app } from "@azure/functions";

import { registerBackground } from "../src/functions-app.ts";

registerBackground(({ settings, monitor }) => {
  app.timer("walMonitor", { schedule: settings.monitorSchedule, handler: monitor });
});

// Finishes what writers left behind.
import { app } from "@azure/functions";

import { monitor, settings } from "../src/runtime.ts";

app.timer("walMonitor", { schedule: settings.monitorSchedule, handler: monitor });

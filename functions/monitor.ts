// How the monitor's last run went.
import { registerOperation } from "../src/functions-app.ts";
import { monitor } from "../src/server/system.ts";

registerOperation(monitor);

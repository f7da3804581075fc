// One job of a store.
import { registerOperation } from "../src/functions-app.ts";
import { job } from "../src/server/jobs.ts";

registerOperation(job);

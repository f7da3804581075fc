// The jobs of a store.
import { registerOperation } from "../src/functions-app.ts";
import { jobs } from "../src/server/jobs.ts";

registerOperation(jobs);

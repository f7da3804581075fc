// Acquires or renews a lease.
import { registerOperation } from "../src/functions-app.ts";
import { leaseAcquire } from "../src/server/leases.ts";

registerOperation(leaseAcquire);

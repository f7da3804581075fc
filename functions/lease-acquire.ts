// Acquires or renews a lease.
import { registerOperation } from "../src/functions-app.ts";
import { leaseAcquire as handler } from "../src/server/leases.ts";
import { leaseAcquire as operation } from "../src/wire/operations-leases.ts";

registerOperation(operation, handler);

// Releases a lease.
import { registerOperation } from "../src/functions-app.ts";
import { leaseRelease as handler } from "../src/server/leases.ts";
import { leaseRelease as operation } from "../src/wire/operations-leases.ts";

registerOperation(operation, handler);

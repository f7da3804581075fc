// Releases a lease.
import { registerOperation } from "../src/functions-app.ts";
import { leaseRelease } from "../src/server/leases.ts";

registerOperation(leaseRelease);

// Tokens of leases for those who only want the tokens.

import { randomUUID } from "node:crypto";
import { parseLeaseHolder, parseLeaseKey } from "../../src/core/ids.ts";
import { createLeases } from "../../src/lease/leases.ts";
import type { Table } from "../../src/table/port.ts";
import { systemClock as clock, systemRandom as random } from "../system.ts";

/** Grants the lease to a new holder, who gives it back at once. */
export async function grantIn(table: Table, name: string): Promise<number> {
  const leases = createLeases({ table, clock, random });
  const [key, holder] = [parseLeaseKey(name), parseLeaseHolder(randomUUID())];
  const outcome = await leases.acquire(key, holder, 60_000);
  if (outcome.kind === "held") throw new Error(`The lease ${name} is held by ${outcome.holder}.`);
  await leases.release(key, holder);
  return outcome.lease.token;
}

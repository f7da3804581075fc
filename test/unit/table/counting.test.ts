import { expect, test } from "vitest";
import { countingAccount } from "../../doubles/counting.ts";
import { faults } from "../../doubles/fault.ts";
import { SimulatedAccount } from "../../doubles/simulated-table.ts";
import { entityBytes } from "../../../src/table/sizes.ts";
import { VirtualClock } from "../../virtual-clock.ts";

test("requests, rows and bytes are counted, refusals and failures apart", async () => {
  const simulated = new SimulatedAccount({ clock: new VirtualClock() });
  const account = countingAccount(simulated);
  const table = account.table("ttt");
  const properties = { data: new Uint8Array(100) };
  const bytes = entityBytes("p", "a", properties);
  await table.create();
  await table.submit("p", [
    { kind: "insert", row: "a", properties },
    { kind: "insert", row: "b", properties },
  ]);
  await table.submit("p", [{ kind: "insert", row: "a", properties }]);
  const { row } = await table.get("p", "a");
  await table.get("p", "absent");
  await table.query({ partition: "p", from: "a", to: "z" });
  await table.submit("p", [{ kind: "delete", row: "a", ifMatch: row!.etag }]);
  simulated.follow(() => faults.failed({ kind: "unavailable" }, 0));
  await expect(table.get("p", "b")).rejects.toMatchObject({ kind: "unavailable" });
  const counts = account.counts;
  expect(counts).toEqual({
    create: 1,
    submit: 3,
    get: 3,
    query: 1,
    remove: 0,
    requests: 8,
    rowsWritten: 3,
    bytesWritten: 2 * bytes,
    rowsRead: 3,
    bytesRead: 3 * bytes,
    refused: 1,
    failed: 1,
  });
  account.reset();
  expect(account.counts.requests).toBe(0);
  expect(counts.requests).toBe(8);
});

// The two sides of the table port before the same claims, and before the same chance.

import fc from "fast-check";
import { describe, expect, inject, test } from "vitest";
import { parseConnection } from "../../src/table/connection.ts";
import type { Row, SubmitResult, Table, Write } from "../../src/table/port.ts";
import { createTableAccount } from "../../src/table/sdk.ts";
import { SimulatedAccount } from "../doubles/simulated-table.ts";
import { systemClock, systemRandom } from "../system.ts";
import { newTableName, tableContract } from "./table-contract.ts";

const simulated = new SimulatedAccount({ clock: systemClock });
const emulated = createTableAccount(parseConnection({ AzureWebJobsStorage: inject("azurite") }), {
  clock: systemClock,
  random: systemRandom,
});

describe("the simulated table", () => {
  tableContract(simulated);
});

describe("Azurite by the SDK's pipeline", () => {
  tableContract(emulated);
});

/** A write whose condition is the row's present ETag, or one it had. */
interface Step {
  readonly kind: Write["kind"];
  readonly row: string;
  readonly current: boolean;
  readonly n: bigint;
}

const anyStep: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom("insert", "replace", "upsert", "delete"),
  row: fc.constantFrom("a", "B", "c", "it's", "é", "🎈"),
  current: fc.boolean(),
  n: fc.bigInt({ min: 0n, max: 9n }),
});
const anyBatch = fc.uniqueArray(anyStep, { minLength: 1, maxLength: 4, selector: (step) => step.row });

test("whatever is written, both sides answer the same and hold the same", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyBatch, { minLength: 1, maxLength: 25 }), async (batches) => {
      const name = newTableName();
      const histories = await Promise.all([simulated, emulated].map((account) => play(account.table(name), batches)));
      expect(histories[0]).toEqual(histories[1]);
    }),
    { numRuns: 25 },
  );
});

/** All that can be told without ETags and times, which are each side's own. */
async function play(table: Table, batches: readonly (readonly Step[])[]): Promise<unknown> {
  await table.create();
  const etags = new Map<string, string>();
  const history: unknown[] = [];
  for (const batch of batches) {
    const result = await table.submit(
      "p",
      batch.map((step) => writeOf(step, etags.get(step.row))),
    );
    history.push(told(result));
    if (result.kind === "refused") continue;
    batch.forEach(({ row }, index) => etags.set(row, result.etags[index] ?? 'W/"deleted"'));
  }
  const { rows } = await table.query({ partition: "p", from: "", to: "\uffff" });
  // The rows have the ETags that the answers gave.
  for (const row of rows) expect(row.etag).toBe(etags.get(row.row));
  return [history, rows.map((row: Row) => [row.row, row.properties])];
}

function writeOf({ kind, row, current, n }: Step, etag: string | undefined): Write {
  const ifMatch = current && etag !== undefined ? etag : "W/\"datetime'2000-01-01T00%3A00%3A00.0000000Z'\"";
  const properties = { n };
  if (kind === "delete") return { kind, row, ifMatch };
  return kind === "replace" ? { kind, row, properties, ifMatch } : { kind, row, properties };
}

function told(result: SubmitResult): unknown {
  return result.kind === "done" ? result.etags.map((etag) => etag !== undefined) : [result.reason, result.index];
}
